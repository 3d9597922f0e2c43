"""/metrics as a test reads it: the numbers by the names and labels of their samples."""

from prometheus_client.parser import text_string_to_metric_families

TOKEN = "a-token-for-prometheus"


class Numbers(dict):
    """Of one scrape: numbers["mechtech_up", "database"], by a sample's name and the values of its labels in order."""

    def __init__(self, text: str):
        families = list(text_string_to_metric_families(text))
        super().__init__(
            ((sample.name, *sample.labels.values()), sample.value) for family in families for sample in family.samples
        )
        self.types = {family.name: family.type for family in families}

    def sum(self, name: str) -> float:
        return sum(value for (found, *_), value in self.items() if found == name)

    def requests(self, route: str, method: str, status: int) -> float:
        """How many were counted; the order of the labels is their alphabet's."""
        return self.get(("mechtech_http_requests_total", method, route, str(status)), 0)
