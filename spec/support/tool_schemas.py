# tool_schemas.py -- checks of tool schemas by the packages that programs use: jsonschema, and the
# models of the providers' own SDKs. Reads {kind, tools, values} as JSON from standard input.
import json
import sys


def check_schemas(given):
    import jsonschema
    for schema in given["schemas"]:
        jsonschema.Draft202012Validator.check_schema(schema)
    for case in given["cases"]:
        validator = jsonschema.Draft202012Validator(given["schemas"][case["schema"]])
        problems = [problem.message for problem in validator.iter_errors(case["value"])]
        assert (not problems) == case["is_valid"], (case, problems)
    return len(given["schemas"]), len(given["cases"])


def check_openai(given):
    import pydantic
    from openai.types.chat import ChatCompletionToolParam, ChatCompletionMessageParam
    from openai.types.responses import FunctionToolParam, ResponseInputItemParam
    for form, values in ((ChatCompletionToolParam, given["openai"]),
                         (FunctionToolParam, given["openai_responses"]),
                         (ChatCompletionMessageParam, given["openai_messages"]),
                         (ResponseInputItemParam, given["openai_responses_messages"])):
        adapter = pydantic.TypeAdapter(form)
        for value in values:
            adapter.validate_python(value)


def check_anthropic(given):
    import pydantic
    from anthropic.types import MessageParam, ToolParam
    for form, values in ((ToolParam, given["anthropic"]),
                         (MessageParam, given["anthropic_messages"])):
        adapter = pydantic.TypeAdapter(form)
        for value in values:
            adapter.validate_python(value)


def check_gemini(given):
    from google.genai import types
    for tool in given["gemini"]:
        parsed = types.Tool.model_validate(tool)
        assert parsed.function_declarations[0].parameters.type.value == "OBJECT"
    for message in given["gemini_messages"]:
        types.Content.model_validate(message)


def check_mcp(given):
    from mcp import types
    types.ListToolsResult.model_validate({"tools": given["mcp"]})
    for message in given["mcp_messages"]:
        types.CallToolResult.model_validate(message["result"])


CHECKS = {"jsonschema": check_schemas, "openai": check_openai, "anthropic": check_anthropic,
          "gemini": check_gemini, "mcp": check_mcp}

print("ok", CHECKS[sys.argv[1]](json.load(sys.stdin)) or "")
