//! Embeds the page: what a browser asks for, plain and gzipped, under one hash. `src/join.rs` says which files of
//! `web/` come together.
//!
//! No network. A missing `web/vendor` is no error: the page then names the command that fetches it.
//! The hash is over the names and contents of what is served, so every address changes with any of them.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

#[path = "src/join.rs"]
mod join;

/// Folders of `web/` whose files are served; the rest is tools and tests.
const FOLDERS: [&str; 3] = ["", "parts", "vendor"];
/// The only files without the hash in their address: they name the others with it.
const PAGES: [&str; 3] = ["api.html", "index.html", "worker.js"];
/// What a browser need not keep for when the gateway is away: the API is away with it.
const NOT_KEPT: [&str; 4] = ["api.html", "parts/reference.js", "style.css", "worker.js"];

struct File {
    /// `parts/chart.js`, with `/` everywhere.
    name: String,
    bytes: Vec<u8>,
}

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let web = root.join("../../web");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut files = Vec::new();
    for folder in FOLDERS {
        // Cargo looks at everything below a folder, so not at `web` itself with its tools: a new file there
        // is asked for by one that is seen. A folder that is missing is looked for again at each build.
        if !folder.is_empty() {
            println!("cargo::rerun-if-changed={}", web.join(folder).display());
        }
        collect(&web, folder, &mut files)?;
    }
    if !files.iter().any(|file| file.name.starts_with("vendor/")) {
        println!("cargo::warning=web/vendor is missing: no chart; run `cargo xtask vendor`");
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let files = served(files);
    let kept = files.iter().map(|file| &*file.name);
    let kept: Vec<_> =
        kept.filter(|name| !NOT_KEPT.contains(name) && !name.ends_with("LICENSE")).collect();
    let kept = kept.join(" ");
    let mut hash = Fnv::default();
    hash.update(kept.as_bytes());
    for file in &files {
        hash.update(file.name.as_bytes());
        hash.update(&[0]);
        hash.update(&file.bytes);
        hash.update(&[0]);
    }
    let hash = format!("{:016x}", hash.0);
    let marks = [("@tree@", &*hash), ("@files@", &kept)];
    let mut table = String::from("[\n");
    for (index, file) in files.iter().enumerate() {
        write_file(&out, index, file, &marks, &mut table)?;
    }
    table.push(']');
    fs::write(out.join("assets.rs"), table)?;
    fs::write(out.join("marks.rs"), format!("{marks:?}"))?;
    println!("cargo::rustc-env=MTOM_TREE_HASH={hash}");
    Ok(())
}

fn collect(web: &Path, folder: &str, files: &mut Vec<File>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(web.join(folder)) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if !path.is_file() || mime(name).is_none() {
            continue;
        }
        let name = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        println!("cargo::rerun-if-changed={}", path.display());
        files.push(File { name, bytes: fs::read(&path)? });
    }
    Ok(())
}

/// The pages, what they name with all that belongs to it in one file each, and what is neither script nor style
/// sheet of ours.
fn served(files: Vec<File>) -> Vec<File> {
    let text = |name: &str| {
        let file = files.iter().find(|file| file.name == name)?;
        Some(String::from_utf8_lossy(&file.bytes).into_owned())
    };
    let pages: Vec<_> = PAGES.iter().filter_map(|name| text(name)).collect();
    let pages: Vec<_> = pages.iter().map(|page| &**page).collect();
    let joined = join::all(&pages, &text).unwrap_or_else(|error| panic!("{error}"));
    let is_source = |name: &str| {
        !PAGES.contains(&name)
            && !name.starts_with("vendor/")
            && (name.ends_with(".js") || name.ends_with(".css"))
    };
    for File { name, .. } in &files {
        let is_used = !is_source(name) || joined.iter().any(|file| file.of.contains(name));
        assert!(is_used, "web/{name}: no page names it and nothing imports it");
    }
    let joined = joined.into_iter().map(|it| File { name: it.name, bytes: it.text.into_bytes() });
    let others = files.into_iter().filter(|file| !is_source(&file.name));
    let mut served: Vec<_> = others.chain(joined).collect();
    served.sort_by(|a, b| a.name.cmp(&b.name));
    served
}

fn write_file(
    out: &Path,
    index: usize,
    file: &File,
    marks: &[(&str, &str)],
    table: &mut String,
) -> io::Result<()> {
    let mut bytes = file.bytes.clone();
    if PAGES.contains(&&*file.name) && file.name.ends_with(".js") {
        bytes = join::bare(&String::from_utf8_lossy(&bytes)).into_bytes();
    }
    let is_page = PAGES.contains(&&*file.name);
    if is_page {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let text = marks.iter().fold(text, |text, (mark, by)| text.replace(mark, by));
        bytes = text.into_bytes();
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&bytes)?;
    fs::write(out.join(format!("asset-{index}")), &bytes)?;
    fs::write(out.join(format!("asset-{index}.gz")), gzip.finish()?)?;
    let mime = mime(&file.name).expect("only files with a type were collected");
    writeln!(
        table,
        "Asset {{ name: {:?}, mime: {mime:?}, is_page: {is_page}, \
         plain: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/asset-{index}\")), \
         gzip: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/asset-{index}.gz\")) }},",
        file.name
    )
    .expect("a String takes everything");
    Ok(())
}

fn mime(name: &str) -> Option<&'static str> {
    Some(match Path::new(name).extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webmanifest" => "application/manifest+json",
        "LICENSE" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

/// FNV-1a. It tells versions of our own files apart; nobody chooses them to collide.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
