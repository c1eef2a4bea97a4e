"""The login as people write it in Python: http.client and python-dotenv. Takes the .env and a CA file."""

import hashlib
import http.client
import json
import os
import ssl
import sys
from urllib.parse import quote, urlencode, urlsplit

from dotenv import load_dotenv

load_dotenv(sys.argv[1])
url = urlsplit(os.environ["GLUO_URL"])
user = os.environ["GLUO_USERNAME"]
if url.scheme == "https":
    context = ssl.create_default_context(cafile=sys.argv[2])
    connection = http.client.HTTPSConnection(url.netloc, context=context)
else:
    connection = http.client.HTTPConnection(url.netloc)
connection.request("GET", f"/webservice.php?operation=getchallenge&username={quote(user)}")
challenge = json.loads(connection.getresponse().read())["result"]["token"]
key = hashlib.md5((challenge + os.environ["GLUO_ACCESS_KEY"]).encode()).hexdigest()
body = urlencode({"operation": "login", "username": user, "accessKey": key})
headers = {"Content-Type": "application/x-www-form-urlencoded"}
connection.request("POST", "/webservice.php", body, headers)
print(json.loads(connection.getresponse().read())["result"]["sessionName"])
