"""Two tenants with the same users, each with things to say that the other must never read."""

import base64
import hashlib
import json

import requests

NAMES = ["chief", "1001", "1002", "amy", "bob"]


class Tenant:
    """An app, its credentials in every dialect, and the ids of what it has."""

    def __init__(self, url, name, number):
        self.url, self.name, self.number = url, name, number
        self.secret = f"{name}-secret"
        # In names and messages of this tenant, and nowhere else.
        self.mark = f"{name}mark"
        self.session = requests.Session()
        self.tokens = {}
        self.ids = {}
        self.fill()

    def post(self, path, body, **headers):
        answer = self.session.post(self.url + path, data=json.dumps(body), headers=headers, timeout=30)
        return answer.json() if answer.text else {}

    def fill(self):
        for uid in NAMES:
            body = {"secret": self.secret, "platform": 1, "uid": uid, "name": f"{self.mark} {uid}"}
            self.tokens[uid] = self.post("/auth/user_register", body)["data"]["token"]
        body = {"appId": self.name, "private": self.secret}
        self.sign = json.loads(self.post("/v1/build_token", body)["data"])["sign"]
        digest = hashlib.md5(self.secret.encode()).hexdigest()
        self.basic = base64.b64encode(f"{self.number}:{digest}".encode()).decode()
        group = self.post("/groups", {"master": 1001, "name": self.mark, "members": [1001, 1002]}, **self.server())
        self.ids["group"] = group["data"]["group_id"]
        for body in [
            {"sender": 1001, "receiver": 1002, "content": json.dumps({"text": self.mark})},
            {"sender": 1002, "receiver": 1001, "content": json.dumps({"text": self.mark})},
        ]:
            self.post("/messages/peers", body, **self.server())
        body = {"sender": 1001, "receiver": self.ids["group"], "content": json.dumps({"text": self.mark})}
        self.post("/messages/groups", body, **self.server())

    def server(self):
        return {"Authorization": f"Basic {self.basic}"}

    def headers(self, operation, who):
        """What opens an operation, for one of the tenant's users or its server."""
        dialect = operation.split("_")[0]
        token = self.tokens[who]
        if dialect == "gobelieve":
            scheme = f"Basic {self.basic}" if who == "chief" else f"Bearer {token}"
            return {"Authorization": scheme}
        if dialect == "maxim":
            return {"app_id": self.name, "access-token": token}
        if dialect == "tenured":
            return {"appId": self.name, "sign": self.sign}
        return {"token": token, "app_id": self.name}
