//! Embeds the page: every file of `web/` that a browser needs, plain and gzipped, under one hash.
//!
//! No network. A missing `web/vendor` is no error: the page then names the command that fetches it.
//! The hash is over names and contents, so the address of every file changes with any of them.
//!
//! `index.html` names every module that the page begins with: a browser that learns of each only from
//! those that import it asks in as many rounds as they are deep. What is loaded by `import()` can wait.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Folders of `web/` whose files are served; the rest is tools and tests.
const FOLDERS: [&str; 3] = ["", "parts", "vendor"];
/// The only files without the hash in their address: they name the others with it.
const PAGES: [&str; 3] = ["api.html", "index.html", "worker.js"];
/// The module that the page begins with.
const FIRST: &str = "app.js";
/// What a browser need not keep for when the gateway is away: the API is away with it.
const NOT_KEPT: [&str; 3] = ["api.html", "parts/reference.js", "worker.js"];

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
    let mut hash = Fnv::default();
    for file in &files {
        hash.update(file.name.as_bytes());
        hash.update(&[0]);
        hash.update(&file.bytes);
        hash.update(&[0]);
    }
    let hash = format!("{:016x}", hash.0);
    let kept = files.iter().map(|file| &*file.name);
    let kept: Vec<_> =
        kept.filter(|name| !NOT_KEPT.contains(name) && !name.ends_with("LICENSE")).collect();
    let kept = kept.join(" ");
    let preloads = imported(&files).map(|name| preload(&hash, &name)).collect::<Vec<_>>().concat();
    let marks = [("@tree@", &*hash), ("@files@", &kept), ("<!-- @modules@ -->", &preloads)];
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

/// A module without the comments that stand on lines of their own: they are for whoever reads the sources, and a
/// third of what travels. Every line stays where it was.
fn bare(source: &str) -> String {
    let (mut bare, mut is_inside) = (String::with_capacity(source.len()), false);
    for line in source.lines() {
        let text = line.trim();
        // `/** @type {T} */ (value)` is code.
        let begins = text.starts_with("/**") && (text.ends_with("*/") || !text.contains("*/"));
        let is_comment = is_inside || begins || text.starts_with("//");
        is_inside = (is_inside || begins) && !text.ends_with("*/");
        if !is_comment {
            bare.push_str(line);
        }
        bare.push('\n');
    }
    bare
}

/// What `FIRST` imports, and what that imports, nearest first: in this order they are asked for.
fn imported(files: &[File]) -> impl Iterator<Item = String> {
    let mut names = vec![FIRST.to_owned()];
    let mut next = 0;
    while let Some(name) = names.get(next).cloned() {
        next += 1;
        let Some(file) = files.iter().find(|file| file.name == name) else {
            panic!("web/{name} is imported and not there");
        };
        for path in imports(&bare(&String::from_utf8_lossy(&file.bytes))) {
            let path = beside(&name, path);
            if !names.contains(&path) {
                names.push(path);
            }
        }
    }
    names.into_iter().skip(1)
}

/// The addresses in the statements that import or hand on from another module. The formatter puts each at the
/// beginning of a line, and its end on one.
fn imports(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| {
        let begins = ["import ", "export ", "} from "].iter().any(|word| line.starts_with(word));
        let (before, path) = line.strip_suffix("\";")?.rsplit_once('"')?;
        (begins && (before == "import " || before.ends_with("from "))).then_some(path)
    })
}

/// The name of what the module `name` calls `path`.
fn beside(name: &str, path: &str) -> String {
    let mut parts: Vec<_> = name.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn preload(hash: &str, name: &str) -> String {
    format!("<link rel=\"modulepreload\" href=\"/a/{hash}/{name}\">")
}

fn write_file(
    out: &Path,
    index: usize,
    file: &File,
    marks: &[(&str, &str)],
    table: &mut String,
) -> io::Result<()> {
    let mut bytes = file.bytes.clone();
    if file.name.ends_with(".js") && !file.name.starts_with("vendor/") {
        bytes = bare(&String::from_utf8_lossy(&bytes)).into_bytes();
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
