"""JSON Schema 2020-12, for the schemas that a file declares; loaded for who declares something."""

from collections.abc import Iterable, Mapping
from typing import Any


class JsonSchemas:
    """``jsonschema-rs``, imported when it is first needed."""

    def flaw(self, schema: Mapping[str, Any]) -> str | None:
        """Why it is no JSON schema."""
        from jsonschema_rs import Draft202012Validator, ValidationError, meta  # noqa: PLC0415

        try:
            meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
            Draft202012Validator(dict(schema))
        except ValidationError as error:
            return error.message
        return None

    def refusals(self, schema: Mapping[str, Any], value: Any) -> Iterable[tuple[str, str]]:
        """What the schema refuses of a value: the field of the value that it is in ("" for none), and why."""
        from jsonschema_rs import Draft202012Validator  # noqa: PLC0415

        for error in Draft202012Validator(dict(schema)).iter_errors(value):
            yield str(error.instance_path[0]) if error.instance_path else "", error.message
