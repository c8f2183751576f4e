"""Answers rekey's challenge. Copy this file; it needs nothing but Python 3.8 or newer."""
import base64
import hashlib
import hmac
import json
import re

PROTOCOL = "rekey/challenge/v1"


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def answer_challenge(instance, consumer, instance_id, password_in_use):
    """A WSGI application. `password_in_use` returns what the pool logs in with at this moment."""

    def answer(length, body):
        if not re.fullmatch("[0-9]{1,4}", length) or int(length) > 1024:
            return "413 Content Too Large", b""
        try:
            asked = json.loads(body.read(int(length)))
        except (ValueError, RecursionError):
            asked = None
        is_for_us = isinstance(asked, dict) and (asked.get("instance"), asked.get("consumer")) == (instance, consumer)
        if not is_for_us or not re.fullmatch("[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", str(asked.get("nonce"))):
            return "403 Forbidden", b""
        password = str(password_in_use() or "")
        if len(password) < 22:
            return "503 Service Unavailable", b""
        text = "\n".join([PROTOCOL, instance, consumer, instance_id, asked["nonce"]])
        mac = base64.urlsafe_b64encode(_hmac(_hmac(password.encode(), PROTOCOL), text)).decode().rstrip("=")
        return "200 OK", json.dumps({"instanceId": instance_id, "mac": mac}).encode()

    def application(environ, start_response):
        status, body = answer(environ.get("CONTENT_LENGTH") or "", environ["wsgi.input"])
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return application
