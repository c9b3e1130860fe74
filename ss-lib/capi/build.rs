//! The shared library's name at run time: it changes with the interface, not with the version.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libss.so.0");
}
