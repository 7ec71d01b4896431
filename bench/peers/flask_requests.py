"""The usual way: Flask, requests, five orders one by one, nothing written down.

python flask_requests.py EXCHANGE_URL PORT
"""

from __future__ import annotations

import hashlib
import hmac
import sys
import time
from urllib.parse import urlencode

import requests
from flask import Flask, jsonify, request

URL, PORT = sys.argv[1], int(sys.argv[2])
KEY, SECRET = "bench-peer-key", "bench-secret"
app = Flask(__name__)
session = requests.Session()
session.headers["X-MBX-APIKEY"] = KEY


def place() -> None:
    """One order."""
    fields = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "IOC",
        "quantity": "0.01",
        "price": "69000",
        "timestamp": int(time.time() * 1000),
    }
    query = urlencode(fields)
    signature = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    answer = session.post(f"{URL}/fapi/v1/order", data=f"{query}&signature={signature}", timeout=10)
    answer.raise_for_status()


@app.post("/hook")
def hook():
    """An alert."""
    if request.get_json()["secret"] != "bench-alert-secret":
        return jsonify(error="no"), 404
    for _ in range(5):
        place()
    return jsonify(outcome="fired")


if __name__ == "__main__":
    session.get(f"{URL}/fapi/v1/ping", timeout=10)
    app.run(port=PORT, threaded=True)
