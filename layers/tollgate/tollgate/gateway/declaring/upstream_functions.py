"""A route's upstream that is a Lambda function: whether the stack may invoke it, before anything is written."""

from tollgate.gateway.declaring.facts import StackFacts
from tollgate.gateway.declaring.problems import Findings
from tollgate.gateway.declaring.tree import Node, text_of
from tollgate.payment.function_names import FunctionName
from tollgate.payment.routes import FunctionTarget


def read_function(node: Node | None, timeout: float, facts: StackFacts, findings: Findings) -> FunctionTarget | None:
    """The target, by its ARN where the stack is known; what is wrong with it goes to ``findings``."""
    text = text_of(node, findings)
    if node is None or text is None:
        return None
    try:
        function = FunctionName.parse(text)
    except ValueError as error:
        findings.add(node.line, node.at, str(error))
        return None
    if not facts.named:
        findings.note(node.line, node.at, "only a stack whose UpstreamFunctionArns has this function may invoke it")
    elif (problem := function_problem(function, facts)) is not None:
        findings.add(node.line, node.at, problem)
    return FunctionTarget(str(function.within(facts.function_prefix)), timeout)


def function_problem(function: FunctionName, facts: StackFacts) -> str | None:
    """Why the stack cannot sell this function; ``None`` when it can."""
    function = function.within(facts.function_prefix)
    own = FunctionName(function.name, prefix=facts.function_prefix)
    if function.prefix == own.prefix and function.name in facts.own_functions:
        return "is a function of this stack itself: no route may run the ones that take the money"
    here = FunctionName("", prefix=facts.function_prefix).region
    if here and function.region != here:
        return f"is in {function.region}, but this stack can only invoke functions in {here}"
    if str(function) in facts.function_arns:
        return None
    allowed = [FunctionName.parse(arn) for arn in facts.function_arns]
    alike = next((str(a) for a in allowed if (a.prefix, a.name) == (function.prefix, function.name)), None)
    hint = f"; it has {alike}, which IAM takes for another" if alike else ""
    wanted = ",".join((*facts.function_arns, str(function)))
    return f"is not in the stack's UpstreamFunctionArns{hint}: deploy it with UpstreamFunctionArns={wanted}"
