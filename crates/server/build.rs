//! Puts the built portals (`web/dist`, made by `cargo xtask ui`) into the binary. Where they have not been built, nothing is put in and the
//! product says so at their address: building the Rust side needs no other tools.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/dist");
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = Vec::new();
    if web.is_dir() {
        // Only what exists is named: cargo runs a script whose inputs are missing at every build.
        println!("cargo::rerun-if-changed={}", web.display());
        collect(&web.canonicalize()?, &mut files)?;
    }
    files.sort();
    let mut table = String::from("&[\n");
    for (name, path) in &files {
        table.push_str(&format!("    ({name:?}, include_bytes!({:?})),\n", path.display().to_string()));
    }
    table.push_str("]\n");
    let out = std::env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(out.join("portal_files.rs"), table)
}

/// Every file below `root`, by its path from there with `/`, in portals' folders only: what lies in `root` itself belongs to no portal.
fn collect(root: &Path, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(root)? {
        folders.extend(Some(entry?.path()).filter(|path| path.is_dir()));
    }
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(below) = path.strip_prefix(root) {
                let names: Vec<_> = below.iter().map(|name| name.to_string_lossy()).collect();
                files.push((names.join("/"), path));
            }
        }
    }
    Ok(())
}
