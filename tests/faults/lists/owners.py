"""Owners of routes, each change of theirs, and what they owe."""

from tests.faults.sabotage import Sabotage

_ATTACKS = "tests/attacks/test_owners.py::"
_ADMIN = "tests/contract/gateway/test_admin.py::"

SABOTAGES = (
    Sabotage(
        "an owner's signed change can be made again",
        "gateway/admin/routes.py",
        "if row.has_used(signed.nonce):",
        "if False:",
        _ATTACKS + "test_a_captured_header_makes_its_change_once",
    ),
    Sabotage(
        "an owner's sign-in to read makes changes",
        "gateway/admin/routes.py",
        "signed = self._signed(request, change_id(request.method, request.raw_path, if_match, request.body))",
        "signed = self._signed(request, READ)",
        _ATTACKS + "test_a_captured_header_makes_no_other_change",
    ),
    Sabotage(
        "an owner's change on one stack is made on another of its host",
        "gateway/admin/sign_in.py",
        'if not fresh.sign_in.uri.startswith(f"{self.base_url}{_BELOW}"):',
        "if False:",
        _ATTACKS + "test_a_signature_for_another_stack_of_the_same_host_is_refused",
    ),
    Sabotage(
        "an owner's route is whoever's knows its id",
        "gateway/admin/routes.py",
        "if route.id == id and route.owner == owner:",
        "if route.id == id:",
        _ATTACKS + "test_a102_anothers_route_is_neither_seen_nor_changed_nor_known_of",
    ),
    Sabotage(
        "an owner's upstream gets the operator's secrets",
        "gateway/admin/owned.py",
        'secret_prefix=f"{facts.secret_prefix}owners/{owner.address.lower}/",',
        "secret_prefix=facts.secret_prefix,",
        _ATTACKS + "test_a_secret_that_the_operator_keeps_for_an_owner_is_that_owners",
    ),
    Sabotage(
        "an owner's change lands after the owner was taken away",
        "ledger/owners.py",
        "return Put(_item(row.owner, row.text, (*kept, (nonce, until))), *_unchanged(row))",
        "return Put(_item(row.owner, row.text, (*kept, (nonce, until))), None)",
        _ADMIN + "test_a_change_of_an_owner_who_is_taken_away_meanwhile_does_not_land",
    ),
    Sabotage(
        "registering is sold, and free for who asks admin",
        "gateway/admin/routes.py",
        "if self.registration_path and not paid:",
        "if False:",
        "tests/contract/gateway/test_registration_sold.py::"
        "test_what_is_wrong_is_said_for_free_and_what_is_right_is_sold",
    ),
    Sabotage(
        "a version of the routes is written without its record",
        "ledger/routes.py",
        "writes = [catalogue, Put(_revision_item(Revision(version, now, actor, changes))), *also]",
        "writes = [catalogue, *also]",
        _ADMIN + "test_every_change_is_on_record_with_who_and_what",
    ),
    Sabotage(
        "an owner's fee is counted outside the books' condition",
        "ledger/books.py",
        "log = self._log_row(payment, proof)",
        "log = self._log_row(payment, proof); [self._table.write(write) for write in self._fee(payment, 1)]",
        "tests/contract/ledger/test_fees.py::test_the_fee_is_booked_once_with_the_payment",
    ),
    Sabotage(
        "one owner may take all the room for routes",
        "gateway/admin/routes.py",
        "    if size > most:\n",
        "    if False:\n",
        _ADMIN + "test_an_owner_leaves_room_for_others",
    ),
)
