"""What is measured: how each server is started, and which of its settings decide what its ack means."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASE = ROOT / "target" / "release"
CACHE = pathlib.Path(os.environ.get("LINNET_CACHE", pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "linnet"))
USERS = 15_100  # of Linnet, in every step: as many as the largest one needs


class Server:
    """A running server over a folder of its own; a context that stops it and removes the folder."""

    # What its ack means, for the tables.
    ack = ""
    protocol = "bare"
    # Seconds until it has to listen.
    patience = 30

    def __init__(self, work, **options):
        self.work = work
        self.options = options
        self.process = None
        self.log = None

    def __enter__(self):
        self.clear(begins=True)
        self.work.mkdir(parents=True, exist_ok=True)
        try:
            self.prepare()
            self.log = open(self.work / "log", "wb")
            self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log, cwd=self.work)
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.log:
            self.log.close()
        self.clear()

    def clear(self, begins=False):
        """Removes the folder, unless the next step goes on with it, or it is to be made anew."""
        if self.options.get("keep") and not (begins and self.options.get("bare")):
            (self.work / "ready").unlink(missing_ok=True)
        else:
            shutil.rmtree(self.work, ignore_errors=True)

    @property
    def pid(self):
        return self.process.pid

    def prepare(self):
        """Writes what it reads when it starts."""
        self.port = free_port()

    def command(self):
        raise NotImplementedError

    def wait_until_ready(self):
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self.listens():
                return
            time.sleep(0.05)
        raise RuntimeError(f"{type(self).__name__} does not listen: {self.tail()}")

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def tail(self):
        return (self.work / "log").read_text(errors="replace")[-2000:]

    def write(self, name, text):
        path = self.work / name
        path.write_text(text)
        return path

    def certificate(self):
        """A certificate of the kind that Linnet makes for itself: ECDSA over P-256."""
        key, chain = self.work / "key.pem", self.work / "chain.pem"
        make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        subprocess.run([*make, "-subj", "/CN=localhost", "-keyout", key, "-out", chain], check=True, capture_output=True)
        return key, chain

    def peers(self, *arguments):
        """The generator for everything but Linnet."""
        command = [RELEASE / "peers", "--protocol", self.protocol, "--address", f"127.0.0.1:{self.port}"]
        command += ["--server-pid", str(self.pid), "--qos", str(self.options.get("qos", 1))]
        flags = [f"--{transport}" for transport in ("tls", "quic") if self.options.get(transport)]
        return [*command, *flags, *arguments]


class Floor(Server):
    """Accepts and reads, and nothing else."""

    def command(self):
        transport = next((name for name in ("tls", "quic") if self.options.get(name)), "tcp")
        return [RELEASE / "floor", transport, f"127.0.0.1:{self.port}"]

    def listens(self):
        return "ready" in self.tail()


class Relay(Server):
    """Hands messages to whoever listens, and nothing else: the bound of best effort."""

    ack = "nothing stored"
    protocol = "relay"

    def command(self):
        return [RELEASE / "relay", f"127.0.0.1:{self.port}"]

    def listens(self):
        return "ready" in self.tail()


class DurableRelay(Relay):
    """The same behind one file and an fsync for all that waits: the bound of every ack that means something."""

    ack = "appended to a file and fsynced"

    def command(self):
        return [*super().command(), "--sync", self.work]


class Hello(Server):
    """hyper, answering the same to everything."""

    def command(self):
        return [RELEASE / "hello", f"127.0.0.1:{self.port}"]


class Linnet(Server):
    """`linnet serve`, embedded store, every ack behind an fsync. Only the limits of pace are off."""

    ack = "fsynced"
    protocol = ""

    def prepare(self):
        self.data = self.work / "data"
        self.credentials = self.work / "users.tsv"
        if not self.options.get("bare") and not self.data.exists():
            template = people()
            shutil.copytree(template / "data", self.data)
            shutil.copy(template / "users.tsv", self.credentials)
            # Written back now, not beside what is measured.
            os.sync()

    def command(self):
        unlimited = ["gateway.frames", "gateway.sends", "gateway.connects"]
        sets = [f"--set={name}.per_second=0" for name in unlimited]
        listen = [f"--{name}=127.0.0.1:0" for name in ("tcp", "tls", "quic", "rest")]
        return [linnet(), "serve", "--data-dir", self.data, "--ready-file", self.work / "ready", *listen, *sets]

    def listens(self):
        try:
            ready = json.loads((self.work / "ready").read_text())
        except (OSError, ValueError):
            return False
        self.addresses = {**ready["gateway"], "rest": ready["rest"]}
        return True

    def admin(self, *arguments):
        done = subprocess.run([linnet(), *arguments, "--data-dir", self.data], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"linnet {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def last_users(self, count):
        """A file with the last of the users: whoever takes users from the front does not take these."""
        file = self.work / "last.tsv"
        file.write_text("".join(self.credentials.read_text().splitlines(keepends=True)[-count:]))
        return file

    def loadtest(self, scenario, *arguments, transport="tcp"):
        """The generator for Linnet."""
        binary = os.environ.get("LOADTEST_BIN", RELEASE / "linnet-loadtest")
        command = [binary, scenario, "--json", "--credentials", self.credentials, "--server-pid", str(self.pid)]
        return [*command, "--transport", transport, "--address", self.addresses[transport], "--insecure", *arguments]


def linnet():
    return pathlib.Path(os.environ.get("LINNET_BIN", RELEASE / "linnet")).resolve()


def people():
    """A store with all users who ever log in; made once for a binary, and copied for each step."""
    folder = ROOT / "target" / "bench" / "people"
    mark = folder / "made-by"
    made_by = f"{linnet()} {linnet().stat().st_mtime_ns}"
    if not mark.exists() or mark.read_text() != made_by:
        with Linnet(folder, keep=True, bare=True) as server:
            server.admin("user", "create", "--count", str(USERS), "--prefix", "load", "--credentials", str(server.credentials))
        mark.write_text(made_by)
    return folder


class Mosquitto(Server):
    ack = "in memory; the whole database is written every second"
    protocol = "mqtt"

    def prepare(self):
        super().prepare()
        passwords = self.work / "passwords"
        subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "bench", "bench"], check=True, capture_output=True)
        tls = ""
        if self.options.get("tls"):
            key, chain = self.certificate()
            tls = f"certfile {chain}\nkeyfile {key}\ntls_version tlsv1.3\n"
        self.write(
            "mosquitto.conf",
            f"user root\nlistener {self.port} 127.0.0.1\n{tls}allow_anonymous false\npassword_file {passwords}\n"
            f"persistence true\npersistence_location {self.work}/\nautosave_interval 1\nset_tcp_nodelay true\n"
            "max_inflight_messages 0\nmax_queued_messages 0\nmax_connections -1\nlog_type error\n",
        )

    def command(self):
        return [shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin"), "-c", self.work / "mosquitto.conf"]


class Nats(Server):
    """Core: whoever listens gets it."""

    ack = "none"
    protocol = "nats"
    store = ""

    def prepare(self):
        super().prepare()
        tls = ""
        if self.options.get("tls"):
            key, chain = self.certificate()
            tls = f"tls {{ cert_file: \"{chain}\", key_file: \"{key}\", handshake_first: true }}\n"
        store = self.store.format(directory=self.work / "store")
        self.write(
            "nats.conf",
            f"listen: \"127.0.0.1:{self.port}\"\nauthorization {{ user: bench, password: bench }}\n{tls}{store}",
        )

    def command(self):
        return [CACHE / "servers" / "nats-server-2.15.1", "-c", self.work / "nats.conf"]


class JetStream(Nats):
    ack = "fsynced (`sync_interval: always`)"
    protocol = "jetstream"
    store = 'jetstream {{ store_dir: "{directory}", sync_interval: always, max_file_store: 8GB }}\n'


class JetStreamLazy(JetStream):
    ack = "in the page cache; synced every two minutes (the default)"
    store = 'jetstream {{ store_dir: "{directory}", max_file_store: 8GB }}\n'


class Rumqttd(Server):
    ack = "in memory"
    protocol = "mqtt"

    def prepare(self):
        super().prepare()
        self.write(
            "rumqttd.toml",
            "id = 0\n[router]\nid = 0\nmax_connections = 20000\nmax_outgoing_packet_count = 200\n"
            "max_segment_size = 104857600\nmax_segment_count = 10\n"
            f"[v4.1]\nname = \"v4-1\"\nlisten = \"127.0.0.1:{self.port}\"\nnext_connection_delay_ms = 0\n"
            "[v4.1.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 20480\nmax_inflight_count = 1000\n"
            "dynamic_filters = true\n[v4.1.connections.auth]\nbench = \"bench\"\n",
        )

    def command(self):
        return [CACHE / "servers" / "rumqttd-0.20.0" / "bin" / "rumqttd", "--quiet", "--config", self.work / "rumqttd.toml"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
