"""Flask and python-binance, five orders one by one, nothing written down.

python flask_python_binance.py EXCHANGE_URL PORT
"""

from __future__ import annotations

import sys

from binance import Client
from flask import Flask, jsonify, request

URL, PORT = sys.argv[1], int(sys.argv[2])
Client.API_URL, Client.FUTURES_URL = f"{URL}/api", f"{URL}/fapi"
app = Flask(__name__)
client = Client("bench-peer-key", "bench-secret", ping=False)


@app.post("/hook")
def hook():
    """An alert."""
    if request.get_json()["secret"] != "bench-alert-secret":
        return jsonify(error="no"), 404
    for _ in range(5):
        client.futures_create_order(
            symbol="BTCUSDT",
            side="BUY",
            type="LIMIT",
            timeInForce="IOC",
            quantity="0.01",
            price="69000",
        )
    return jsonify(outcome="fired")


if __name__ == "__main__":
    client.futures_ping()
    app.run(port=PORT, threaded=True)
