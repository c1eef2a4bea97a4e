"""What `bench/run --proxy` measures: the gateway beside nginx's proxy_pass, in one run, with wrk as the load.

The server and the load share the first CPU, the gateway or nginx has the second one to itself: with two CPUs there is no
better arrangement, and both peers meet the same. Needs nginx, wrk and curl from Debian, and taskset.
"""

import os
import pathlib
import re
import subprocess
import time

SMALL, LARGE = "/1k", 1024
CONFIG = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_max_body_size 0; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream system {{ server {server}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://system; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer x"; proxy_buffering off; proxy_request_buffering off;
    }}
  }}
}}
"""


def pinned(cpu, command):
    """A command on one CPU."""
    return ["taskset", "-c", str(cpu), *map(str, command)]


def wrk(url, connections, seconds=8):
    """Requests a second and the median latency in ms."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url]
    said = subprocess.run(pinned(0, command), capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    number, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", said).groups()
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1))
    return rate, float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def curl(url, *more):
    """How long a transfer takes, in seconds."""
    command = ["curl", "-sS", "-f", "-o", "/dev/null", "-w", "%{time_total}", *more, url]
    return float(subprocess.run(pinned(0, command), capture_output=True, text=True, check=True).stdout)


def status(process, field):
    """A figure of a process's memory, in MiB."""
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(re.search(rf"{field}:\s+(\d+)", text).group(1)) / 1024


def transfers(url, folder):
    """MiB a second, down and up."""
    large = folder / "large"
    if not large.exists():
        with open(large, "wb") as file:
            file.truncate(LARGE * 1024 * 1024)
    return LARGE / curl(f"{url}/down/{LARGE}"), LARGE / curl(f"{url}/up", "-T", str(large), "-H", "Expect:")


def gateway(here, folder):
    """A gateway over a stored session, on the second CPU, and its URL."""
    command = pinned(1, [here.program, "proxy", "hellocloud", "-q"])
    process = subprocess.Popen(command, cwd=folder, env=here.environment, stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().split("\t")[1].strip()


def first_answer(here, folder):
    """From the start to the first answer, in ms: the best of some, since others use the machine too."""
    import http.client

    best = 1000.0
    for _ in range(20):
        started = time.perf_counter()
        process, url = gateway(here, folder)
        host, path = url.removeprefix("http://").split("/", 1)
        connection = http.client.HTTPConnection(host)
        connection.request("GET", f"/{path}{SMALL}")
        connection.getresponse().read()
        best = min(best, (time.perf_counter() - started) * 1000)
        process.terminate()
        process.wait()
    return best


def idle(process, url):
    """Memory with 500 connections that are kept open and idle."""
    import http.client

    host, path = url.removeprefix("http://").split("/", 1)
    open_ones = [http.client.HTTPConnection(host) for _ in range(500)]
    for connection in open_ones:
        connection.request("GET", f"/{path}{SMALL}")
        connection.getresponse().read()
    return status(process, "VmRSS")


def run(here, judge):
    """Measures and prints a table, then the verdicts."""
    folder = here.settings("http")
    here.run([here.program, "login", "hellocloud"], folder)
    os.sched_setaffinity(here.server.pid, {0})
    direct = here.facts["http"]
    start = first_answer(here, folder)
    port = 18080
    config = here.folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=here.folder, server=direct.removeprefix("http://"), port=port))
    nginx = subprocess.Popen(pinned(1, ["nginx", "-c", config, "-p", here.folder]), stderr=subprocess.DEVNULL)
    ours, url = gateway(here, folder)
    time.sleep(1)
    urls = {"direct": direct, "nginx": f"http://127.0.0.1:{port}", "crmauth proxy": url}
    figures = {}
    for name, base in urls.items():
        wrk(base + SMALL, 1, 1)
        _, latency = wrk(base + SMALL, 1)
        rate, _ = wrk(base + SMALL, 50)
        figures[name] = (latency, rate, *transfers(base, here.folder))
    peak = status(ours, "VmHWM")
    resting = idle(*gateway(here, folder))
    print(f"load {os.getloadavg()[0]:.1f}\n")
    print("| | Median latency, ms | Requests/s, 50 connections | Down, MiB/s | Up, MiB/s |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, (latency, rate, down, up) in figures.items():
        print(f"| {name} | {latency:.3f} | {rate:.0f} | {down:.0f} | {up:.0f} |")
    print()
    plain, peer, gate = figures.values()
    judge("added median latency, ms", gate[0] - plain[0], 0.15)
    judge("added median latency over nginx's", (gate[0] - plain[0]) / (peer[0] - plain[0]), 1.5)
    judge("15,000 requests a second over ours", 15_000 / gate[1], 1)
    judge("nginx's rate over ours", peer[1] / gate[1], 1 / 0.5)
    judge("nginx's rate down over ours", peer[2] / gate[2], 1 / 0.6)
    judge("nginx's rate up over ours", peer[3] / gate[3], 1 / 0.6)
    judge("peak memory after all of it, MiB", peak, 24)
    judge("memory with 500 idle connections, MiB", resting, 24)
    judge("start to the first answer, ms", start, 5)
    for process in (nginx, ours):
        process.terminate()
        process.wait()
