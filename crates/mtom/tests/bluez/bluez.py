"""A bluetoothd that is in as much trouble as it is told, for `python3 -m dbusmock`.

Parameters: `adapters`, their names; `powered`; `blocked`, so that they cannot be switched on; `devices`, from
address to name, Bluetooth LE with the UART service, unless `plain` says that they have none; `refuses`, so that
no device can be connected to. A device obeys as one of the second version. SIGUSR1: all devices go out of reach,
without a word to anybody who is connected but the end of the connection; SIGUSR2: they are back.
"""

import signal
import socket

import dbus
from dbusmock import OBJECT_MANAGER_IFACE, mockobject
from gi.repository import GLib

BUS_NAME = "org.bluez"
MAIN_OBJ = "/"
SYSTEM_BUS = True
IS_OBJECT_MANAGER = True

ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
SERVICE = "org.bluez.GattService1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
UART = "6e40000{}-b5a3-f393-e0a9-e50e24dcca9e"
MTU = 247


class Led:
    """What survives a connection."""

    state = "c"
    number = 0
    notifier = None

    def obey(self, line):
        if line != "?":
            self.state, number = line.split()
            self.number = int(number)
            return f"{line}\n"
        return f"= {self.state} {self.number} MOCK 1.0\n"

    def say(self, text):
        if self.notifier is not None:
            self.notifier.send(text.encode())

    def leave(self):
        if self.notifier is not None:
            self.notifier.close()
            self.notifier = None


LED = Led()
WORLD = {}


@dbus.service.method(ADAPTER, in_signature="", out_signature="")
def StartDiscovery(adapter):
    pass


@dbus.service.method(DEVICE, in_signature="", out_signature="")
def Connect(device):
    if WORLD.get("refuses"):
        raise dbus.exceptions.DBusException(
            "le-connection-abort-by-local", name="org.bluez.Error.Failed"
        )
    tell(device, DEVICE, "Connected", dbus.Boolean(True))
    tell(device, DEVICE, "ServicesResolved", dbus.Boolean(True))


@dbus.service.method(DEVICE, in_signature="", out_signature="")
def Disconnect(device):
    LED.leave()
    tell(device, DEVICE, "Connected", dbus.Boolean(False))
    tell(device, DEVICE, "ServicesResolved", dbus.Boolean(False))


@dbus.service.method(CHARACTERISTIC, in_signature="aya{sv}", out_signature="")
def WriteValue(_characteristic, value, _options):
    LED.say(LED.obey(bytes(value).decode().strip()))


@dbus.service.method(CHARACTERISTIC, in_signature="a{sv}", out_signature="hq")
def AcquireNotify(_characteristic, _options):
    LED.notifier, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        return dbus.types.UnixFd(theirs.fileno()), dbus.UInt16(MTU)


def load(mock, parameters):
    WORLD.update(parameters, root=mock, objects=[])
    # BlueZ has its own word for a property that it does not have.
    mockobject.DBusMockObject.Get = Get
    if parameters.get("blocked"):
        mockobject.DBusMockObject.Set = Set
    for adapter in parameters.get("adapters", []):
        add(f"/org/bluez/{adapter}", ADAPTER, adapter_properties(), [
            ("StartDiscovery", "", "", StartDiscovery),
            ("StopDiscovery", "", "", ""),
            ("SetDiscoveryFilter", "a{sv}", "", ""),
        ])
    come()
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGUSR1, go)
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGUSR2, come)
    print("ready", flush=True)


@dbus.service.method(dbus.PROPERTIES_IFACE, in_signature="ss", out_signature="v")
def Get(thing, interface, name):
    try:
        return thing.props[interface][name]
    except KeyError:
        raise dbus.exceptions.DBusException(
            "No such property", name="org.freedesktop.DBus.Error.InvalidArgs"
        ) from None


@dbus.service.method(dbus.PROPERTIES_IFACE, in_signature="ssv", out_signature="")
def Set(_adapter, _interface, _name, _value):
    raise dbus.exceptions.DBusException(
        "Blocked through rfkill", name="org.bluez.Error.Blocked"
    )


def adapter_properties():
    return {
        "Address": "00:01:02:03:04:05",
        "AddressType": "public",
        "Alias": "gateway",
        "Discovering": False,
        "Name": "gateway",
        "Powered": dbus.Boolean(WORLD.get("powered", True)),
        "UUIDs": dbus.Array([], signature="s"),
    }


def come():
    for address, name in WORLD.get("devices", {}).items():
        path = "/org/bluez/hci0/dev_" + address.replace(":", "_")
        uuids = [] if WORLD.get("plain") else [UART.format(1)]
        add(path, DEVICE, {
            "Adapter": dbus.ObjectPath("/org/bluez/hci0"),
            "Address": address,
            "AddressType": "random",
            "Alias": name,
            "Blocked": False,
            "Connected": False,
            "LegacyPairing": False,
            "Name": name,
            "Paired": False,
            "RSSI": dbus.Int16(-40),
            "ServicesResolved": False,
            "Trusted": False,
            "UUIDs": dbus.Array(uuids, signature="s"),
        }, [("Connect", "", "", Connect), ("Disconnect", "", "", Disconnect)])
        if uuids:
            add_uart(path)
    return GLib.SOURCE_CONTINUE


def add_uart(device):
    service = f"{device}/service0010"
    add(service, SERVICE, {
        "Device": dbus.ObjectPath(device),
        "Includes": dbus.Array([], signature="o"),
        "Primary": True,
        "UUID": UART.format(1),
    }, [])
    for place, uuid, flag, method in [
        ("char0011", UART.format(2), "write", ("WriteValue", "aya{sv}", "", WriteValue)),
        ("char0013", UART.format(3), "notify", ("AcquireNotify", "a{sv}", "hq", AcquireNotify)),
    ]:
        add(f"{service}/{place}", CHARACTERISTIC, {
            "Flags": dbus.Array([flag], signature="s"),
            "Service": dbus.ObjectPath(service),
            "UUID": uuid,
            "Value": dbus.Array([], signature="y"),
        }, [method])


def go():
    LED.leave()
    root, objects = WORLD["root"], WORLD["objects"]
    WORLD["objects"] = [(path, kind) for path, kind in objects if kind == ADAPTER]
    for path, kind in [(path, kind) for path, kind in objects if kind != ADAPTER]:
        root.RemoveObject(path)
        gone = [dbus.ObjectPath(path), dbus.Array([kind], signature="s")]
        root.EmitSignal(OBJECT_MANAGER_IFACE, "InterfacesRemoved", "oas", gone)
    return GLib.SOURCE_CONTINUE


def add(path, interface, properties, methods):
    properties = dbus.Dictionary(properties, signature="sv")
    WORLD["root"].AddObject(path, interface, properties, methods)
    WORLD["objects"].append((path, interface))
    WORLD["root"].EmitSignal(OBJECT_MANAGER_IFACE, "InterfacesAdded", "oa{sa{sv}}", [
        dbus.ObjectPath(path), dbus.Dictionary({interface: properties}, signature="sa{sv}"),
    ])


def tell(device, interface, name, value):
    device.props[interface][name] = value
    device.EmitSignal(dbus.PROPERTIES_IFACE, "PropertiesChanged", "sa{sv}as", [
        interface, dbus.Dictionary({name: value}, signature="sv"), dbus.Array([], signature="s"),
    ])
