"""Examples of bodies and answers, put together from those of their fields."""


def example(schema: dict, components: dict):
    """A value that the schema allows. components: what its references mean, by name."""
    if "$ref" in schema:
        return example(components[schema["$ref"].rpartition("/")[2]], components)
    if "examples" in schema:
        return schema["examples"][0]
    for several in ("anyOf", "allOf"):
        if several in schema and "properties" not in schema:
            return example(schema[several][0], components)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, components)
    if kind == "array":
        return [example(schema["items"], components)]
    return None if "null" in kind else {"string": "", "integer": 1, "number": 1, "boolean": True}[kind]


def _object(schema: dict, components: dict) -> dict:
    """With the fields that are required, and those others that have an example of their own."""
    shown = set(schema.get("required", ()))
    shown |= {name for name, field in schema["properties"].items() if "examples" in field}
    return {name: example(field, components) for name, field in schema["properties"].items() if name in shown}
