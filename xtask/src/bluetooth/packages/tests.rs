//! What apt says, read.

use super::{depends, file_names, package_of};

#[test]
fn dependencies_are_real_packages_without_their_architecture() {
    let said = "bluez
  PreDepends: init-system-helpers
  Depends: libc6
 |Depends: <default-dbus-system-bus>
    dbus
 |Depends: perl:any
  Depends: libdbus-1-3
";
    let expected = ["init-system-helpers", "libc6", "perl", "libdbus-1-3"];
    assert_eq!(depends(said), expected);
}

#[test]
fn files_are_named_by_package_and_version() {
    let said = "'http://host/pool/b/busybox-static_1.35.0-4_amd64.deb' \
                busybox-static_1%3a1.35.0-4_amd64.deb 928188 SHA256:3d3f
W: something
";
    let files = file_names(said);
    assert_eq!(files, ["busybox-static_1%3a1.35.0-4_amd64.deb"]);
    assert_eq!(package_of(&files[0]), "busybox-static");
}
