"""The actuator over Bluetooth LE, with no radio and no kernel: the real `mtom actuator --ble` speaks
HCI over TCP to a virtual controller, and a central on the same virtual link does what a gateway does.

    python3 ble.py MTOM

Prints one line for each fact and ends with 1 at the first that does not hold. Needs bumble.
"""

import asyncio
import contextlib
import logging
import pathlib
import socket
import sys
import tempfile

from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData
from bumble.device import Device, Peer
from bumble.gatt import Characteristic
from bumble.hci import Address
from bumble.host import Host
from bumble.link import LocalLink
from bumble.transport.tcp_server import open_tcp_server_transport_with_socket

NAME = "TEMP_LED"
LONG_NAME = "LAMP_BESIDE_THE_DOOR"
SERVICE = UUID("6E400001-B5A3-F393-E0A9-E50E24DCCA9E")
RX = UUID("6E400002-B5A3-F393-E0A9-E50E24DCCA9E")
TX = UUID("6E400003-B5A3-F393-E0A9-E50E24DCCA9E")

LOCAL_NAME = AdvertisingData.Type.COMPLETE_LOCAL_NAME
SERVICES = AdvertisingData.Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS

LIMIT = 20  # seconds in which whatever must happen happens
SILENCE = 0.3  # seconds in which what must not happen would have
BURST = 100  # questions in a row, and in a flood


class Wrong(Exception):
    """A fact that does not hold."""


def fact(what, holds, seen):
    if not holds:
        raise Wrong(f"{what}: {seen!r}")
    print(f"ok: {what}", flush=True)


async def soon(what, event):
    try:
        return await asyncio.wait_for(event, LIMIT)
    except asyncio.TimeoutError:
        raise Wrong(f"{what}: nothing came") from None


@contextlib.asynccontextmanager
async def actuator(binary, link, *options, name=NAME, is_old=False):
    """`mtom actuator` behind a virtual controller of its own; an old one knows no extended advertising."""
    # Named in full, or asyncio would leave Nagle's delay on.
    port = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    port.bind(("127.0.0.1", 0))
    address = "127.0.0.1:%d" % port.getsockname()[1]
    transport = await open_tcp_server_transport_with_socket(port)
    controller = Controller("actuator", transport.source, transport.sink, link)
    if is_old:
        # What it says to every command that it does not know.
        controller.on_hci_le_read_number_of_supported_advertising_sets_command = (
            controller.on_hci_command
        )
    process = await asyncio.create_subprocess_exec(
        binary, "actuator", "--ble", address, "--name", name, *options,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        said = await printed(process)
        if said != f"{name} is found over Bluetooth by the controller at {address}":
            raise Wrong(f"what it says first: {said!r}")
        yield process, controller
    finally:
        process.kill()
        await process.wait()
        link.remove_controller(controller)
        transport.server.close()


async def printed(process):
    line = await soon("a line on its output", process.stdout.readline())
    return line.decode().strip()


class Central:
    """A central that hears what is notified as lines."""

    def __init__(self, link):
        controller = Controller("central", link=link)
        host = Host(controller, controller)
        self.device = Device(name="central", address=Address("F0:F1:F2:F3:F4:F5"), host=host)
        self.heard = asyncio.Queue()
        self.line = b""

    async def find(self, name=None):
        """Whoever advertises the service, under this name if there is one."""
        found = asyncio.get_running_loop().create_future()

        def look(advertisement):
            data = advertisement.data
            fits = SERVICE in data.get(SERVICES, []) and data.get(LOCAL_NAME) == name
            if fits and not found.done():
                found.set_result(advertisement)

        self.device.on("advertisement", look)
        await self.device.start_scanning(filter_duplicates=False)
        advertisement = await soon(f"an advertisement with the service and {name}", found)
        await self.device.stop_scanning()
        self.device.remove_listener("advertisement", look)
        return advertisement

    async def connect(self, advertisement):
        """Connects, finds the service and subscribes."""
        self.line = b""
        self.connection = await soon("a connection", self.device.connect(advertisement.address))
        peer = Peer(self.connection)
        await soon("its services", peer.discover_services())
        await soon("their characteristics", peer.discover_characteristics())
        (self.rx,) = peer.get_characteristics_by_uuid(RX, SERVICE)
        (self.tx,) = peer.get_characteristics_by_uuid(TX, SERVICE)
        await soon("the subscription", self.tx.subscribe(self.notified))

    def notified(self, piece):
        *lines, self.line = (self.line + piece).split(b"\n")
        for line in lines:
            self.heard.put_nowait(line.decode())

    async def write(self, text, with_response=True):
        await soon(f"{text!r} was taken", self.rx.write_value(text.encode(), with_response))

    async def hear(self):
        return await soon("a notification", self.heard.get())

    async def ask(self, text, **how):
        await self.write(text, **how)
        return await self.hear()

    async def disconnect(self):
        await soon("the end of the connection", self.connection.disconnect())


async def conversation(binary, link, central, folder):
    state = str(folder / "led.state")
    options = ["--lease", "none", "--state", state]
    async with actuator(binary, link, *options, "--listen", "127.0.0.1:0") as (process, _):
        tcp_address = (await printed(process)).removeprefix(f"{NAME} waits on tcp:")

        found = await central.find(NAME)
        print(f"ok: {NAME} is found, with the service", flush=True)
        await central.connect(found)
        props = Characteristic.Properties
        both = props.WRITE | props.WRITE_WITHOUT_RESPONSE
        seen = (central.rx.properties, central.tx.properties)
        fact("RX is written and TX notifies", seen == (both, props.NOTIFY), seen)

        heard = await central.ask("?\n")
        version = heard.rsplit(" ", 1)[-1]
        at = lambda led, number: f"= {led} {number} {NAME} {version}"  # noqa: E731
        fact("a question is answered with the state", heard == at("c", 0), heard)
        seen = (await central.ask("h 42\n"), await printed(process))
        fact("a command lights the LED and is answered", seen == ("h 42", "LED on"), seen)
        heard = await central.ask("c 41\n")
        fact("an old number is answered with the state", heard == at("h", 42), heard)
        seen = (await central.ask("c 43\n", with_response=False), await printed(process))
        fact("a write without response does as well", seen == ("c 43", "LED off"), seen)
        for piece in ("h", " 4", "4"):
            await central.write(piece, with_response=False)
        seen = (await central.ask("\n"), await printed(process))
        fact("a line may come in pieces", seen == ("h 44", "LED on"), seen)
        for bare, led in (("c", "LED off"), ("h", "LED on"), ("s", "LED off")):
            await central.write(bare)
            seen = await printed(process)
            fact(f"a bare {bare} is obeyed", seen == led, seen)
        await asyncio.sleep(SILENCE)
        seen = (central.heard.qsize(), central.line)
        fact("and is not answered", seen == (0, b""), seen)
        heard = await central.ask("nonsense\n")
        fact("nonsense is refused", heard == "! expected h N, c N or ?", heard)
        for _ in range(6):
            await central.write("x" * 20)
        heard = await central.ask("h 99\n")
        fact("a line too long is refused whole", heard == "! line too long", heard)
        for _ in range(BURST):
            await central.write("?\n")
        heard = [await central.hear() for _ in range(BURST)]
        fact(f"{BURST} questions in a row are all answered", set(heard) == {at("c", 44)}, heard)
        # Without a response to wait for they come faster than they are answered: some are dropped.
        for _ in range(BURST):
            await central.write("?\n", with_response=False)
        await central.write("c 45\n")
        while (heard := await central.hear()) == at("c", 44):
            pass
        fact("a flood is survived", heard == "c 45", heard)

        host, port = tcp_address.rsplit(":", 1)
        reader, writer = await soon("the TCP link", asyncio.open_connection(host, int(port)))
        await central.write("h 5")
        writer.write(b"c 46\nh 47\n")
        seen = [(await soon("an answer", reader.readline())).decode() for _ in range(2)]
        seen += [await printed(process), await central.ask("0\n?\n"), await central.hear()]
        expected = ["c 46\n", "h 47\n", "LED on", "h 50", at("h", 50)]
        fact("the TCP link drives the same LED, with its own lines", seen == expected, seen)
        writer.close()

        await central.write("c")
        await central.disconnect()
        seen = await printed(process)
        fact("a bare byte right before the end counts", seen == "LED off", seen)
        await central.connect(await central.find(NAME))
        heard = await central.ask("?\n")
        fact("it is found again, the same as before", heard == at("c", 50), heard)
        await central.disconnect()

    async with actuator(binary, link, *options):
        await central.connect(await central.find(NAME))
        heard = await central.ask("h 50\n")
        fact("killed and started again it knows its last number", heard == at("c", 105), heard)
        await central.disconnect()


async def lease(binary, link, central):
    async with actuator(binary, link, "--lease", "500ms") as (process, _):
        await central.connect(await central.find(NAME))
        heard = [await central.ask("h 1\n"), await central.hear()]
        fact("the end of the lease is notified", heard[1].startswith(f"= c 1 {NAME} "), heard)
        seen = [await printed(process), await printed(process)]
        fact("after the LED went dark", seen == ["LED on", "LED off"], seen)
        await central.disconnect()


async def heard_within(central, seconds):
    """The next line, or None when there is none so long."""
    try:
        return await asyncio.wait_for(central.heard.get(), seconds)
    except asyncio.TimeoutError:
        return None


async def faults(binary, link, central):
    options = ["--lease", "none", "--seed", "7", "--fault"]
    async with actuator(binary, link, *options, "drop=0.3"):
        await central.connect(await central.find(NAME))
        asked, answers = 0, []
        while len(answers) < BURST // 10:
            await central.write("?\n")
            asked += 1
            answers += filter(None, [await heard_within(central, SILENCE)])
        whole = all(answer.startswith(f"= c 0 {NAME} ") for answer in answers)
        fact("lines get lost, and the others are answered", asked > len(answers) and whole, asked)
        await central.disconnect()

    async with actuator(binary, link, *options, "die-after=2,slow=50ms") as (process, _):
        await central.connect(await central.find(NAME))
        await central.ask("?\n")
        seen = (await central.ask("h 1\n"), await printed(process))
        fact("it obeys until it dies", seen == ("h 1", "LED on"), seen)
        await central.write("c 2\n")
        heard = await heard_within(central, SILENCE)
        still = central.connection in central.device.connections.values()
        fact("then it says nothing and closes nothing", heard is None and still, (heard, still))
        await central.disconnect()


async def long_name(binary, link, central):
    for is_old in (False, True):
        what = "by an old controller" if is_old else "by a controller"
        async with actuator(binary, link, name=LONG_NAME, is_old=is_old) as (_, controller):
            await central.find()
            sets = [*controller.advertising_sets.values()]
            fact(f"{what} it is found, with its commands", bool(sets) != is_old, sets)
            # Virtual controllers answer no scan: this is what a real one would answer.
            advertiser = controller.le_legacy_advertiser if is_old else sets[0]
            answer = AdvertisingData.from_bytes(bytes(advertiser.scan_response_data))
            name = answer.get(LOCAL_NAME)
            told = f"{what} a name too long for the advertisement is told on request"
            fact(told, name == LONG_NAME, name)


async def old_controller(binary, link, central):
    async with actuator(binary, link, is_old=True):
        await central.connect(await central.find(NAME))
        heard = await central.ask("h 1\n")
        fact("an old controller serves as well", heard == "h 1", heard)
        await central.disconnect()
        await central.connect(await central.find(NAME))
        await central.disconnect()


async def main(binary):
    link = LocalLink()
    central = Central(link)
    await central.device.power_on()
    with tempfile.TemporaryDirectory() as folder:
        await conversation(binary, link, central, pathlib.Path(folder))
    await lease(binary, link, central)
    await faults(binary, link, central)
    await long_name(binary, link, central)
    await old_controller(binary, link, central)


# What it says of its own troubles would only hide ours.
logging.basicConfig(level=logging.CRITICAL)
try:
    asyncio.run(main(sys.argv[1]))
except Wrong as wrong:
    print(f"WRONG: {wrong}", file=sys.stderr)
    sys.exit(1)
