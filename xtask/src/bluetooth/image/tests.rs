//! The order of the kernel's modules.

use super::load_order;

const DEP: &str = "kernel/crypto/hmac.ko:
kernel/net/rfkill/rfkill.ko:
kernel/net/bluetooth/bluetooth.ko.xz: kernel/net/rfkill/rfkill.ko kernel/lib/crc16.ko
kernel/lib/crc16.ko:
kernel/drivers/char/virtio-rng.ko:
";

#[test]
fn what_a_module_needs_comes_before_it_and_once() {
    let order = load_order(DEP, &["hmac", "bluetooth", "rfkill", "virtio_rng", "built_in"]);
    let expected = [
        "kernel/crypto/hmac.ko",
        "kernel/net/rfkill/rfkill.ko",
        "kernel/lib/crc16.ko",
        "kernel/net/bluetooth/bluetooth.ko.xz",
        "kernel/drivers/char/virtio-rng.ko",
    ];
    assert_eq!(order, expected);
}
