//! Links with esp-hal's memory map.

fn main() {
    println!("cargo:rustc-link-arg-bins=-Tlinkall.x");
}
