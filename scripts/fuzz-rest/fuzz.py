"""Asks every operation of the OpenAPI document, as two tenants in turn. See run.sh."""

import random
import sys
import time
from collections import Counter

import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS, load_all_checks

from tenants import NAMES, Tenant

SHORT = 2
load_all_checks()
CHECKED = [
    CHECKS.get_one(name)
    for name in ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
]
# Fields that name somebody or something: random values would hardly ever hit what is there.
PEOPLE = {"user_id", "userid", "uid", "userids", "useridlist", "uidlist", "targets", "sender", "receiver", "sendid", "recvid",
          "owneruid", "to", "master", "members", "user_list", "list", "mid", "memberid", "opposite_id", "newownerid", "id"}
GROUPS = {"group_id", "groupid", "gid", "receiver", "targets", "group_list"}


def main():
    url, wanted = sys.argv[1], sys.argv[2]
    schema = schemathesis.openapi.from_url(url + "/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    each = SHORT if wanted == "--short" else max(1, -(-int(wanted) // len(operations)))
    tenants = [Tenant(url, "north", 7001), Tenant(url, "south", 7002)]
    tally, failures, started = Counter(), [], time.time()
    for operation in operations:
        probe(operation, tenants, each, tally, failures)
    cases = sum(tally.values())
    statuses = ", ".join(f"{count}x {status}" for status, count in sorted(tally.items()))
    print(f"fuzz-rest: {cases} cases over {len(operations)} operations in {time.time() - started:.0f} s: {statuses}")
    for label, problem in failures:
        print(f"\n{label}\n{problem}")
    if failures:
        sys.exit(f"fuzz-rest: {len(failures)} operations do not do what the document says")


def probe(operation, tenants, each, tally, failures):
    name = operation.definition.raw.get("operationId", operation.label)
    # The same cases at every run, so that a failure can be looked into.
    chance = random.Random(name)

    @hypothesis.seed(1)
    @settings(max_examples=each, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck), print_blob=False)
    @given(case=operation.as_strategy())
    def ask(case):
        own, other = chance.sample(tenants, 2)
        case.body = known(case.body, tenants, chance)
        for place in ("query", "path_parameters"):
            setattr(case, place, known(getattr(case, place), tenants, chance))
        headers = own.headers(name, chance.choice(NAMES))
        if isinstance(case.body, dict) and "secret" in case.body:
            case.body["secret"] = own.secret
        kept = {key: value for key, value in (case.headers or {}).items() if key.lower() not in LEFT_OUT}
        case.headers = {**kept, **headers}
        response = case.call(headers=headers, session=own.session, timeout=30)
        tally[response.status_code] += 1
        if other.mark in response.text:
            raise AssertionError(f"{own.name} is told of {other.name}: {response.text[:500]}\n{case.as_curl_command()}")
        if response.status_code >= 500 and not named(operation, response):
            raise AssertionError(f"{response.status_code}: {response.text[:500]}\n{case.as_curl_command()}")
        case.validate_response(response, checks=CHECKED)

    try:
        ask()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        failures.append((operation.label, str(error)[:2500]))


# Those come from the tenant.
LEFT_OUT = {"authorization", "token", "access-token", "app_id", "appid", "sign", "user_id", "group_id"}


def named(operation, response):
    """openim answers HTTP 500 where the original does: for a user who exists already, or does not."""
    return response.status_code == 500 and operation.path.startswith("/auth/user_") and '"errCode":500' in response.text


def known(value, tenants, chance, name=""):
    """Half of what names somebody or something is made to name what is there, in either tenant."""
    if isinstance(value, dict):
        return {key: known(item, tenants, chance, key.lower()) for key, item in value.items()}
    if isinstance(value, list):
        return [known(item, tenants, chance, name) for item in value]
    if isinstance(value, bool) or not isinstance(value, (int, str)) or chance.random() < 0.5:
        return value
    choices = []
    if name in PEOPLE:
        choices += NAMES if isinstance(value, str) else [1001, 1002]
    if name in GROUPS:
        groups = [tenant.ids["group"] for tenant in tenants]
        choices += groups if isinstance(value, int) else [str(group) for group in groups]
    return chance.choice(choices) if choices else value


main()
