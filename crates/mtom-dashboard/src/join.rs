//! What of `web/` is served together as one file: `build.rs` embeds what comes out, and a debug build makes it
//! anew for each request.
//!
//! A browser spends milliseconds on each file, however small it is. So a module that a page names is served with
//! all that it imports, each module in a function of its own that returns what it exports. What is loaded later by
//! `await import("…")` is a file of its own; what it shares with the first it takes from there, so that each module
//! runs once. A style sheet is served with those that it imports.
//!
//! This reads statements, not JavaScript: the formatter puts each `import` and `export` at the beginning of a line
//! and ends an `import` with `";`. What a function cannot return as it is, or in an order, is refused: default
//! exports, exports that change, modules that need each other. `import.meta.url` is that of the file that is served.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The text of a file of `web/` by its name, as in `parts/chart.js`; none: it is not there.
pub(crate) type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What stands before the names of files in the pages.
const ADDRESS: &str = "\"/a/@tree@/";
/// How a module says that it loads another one later.
const LATER: &str = "await import(\"";

/// One file that is served.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) name: String,
    pub(crate) text: String,
    /// The files of `web/` that are in it.
    pub(crate) of: Vec<String>,
}

/// Every script and style sheet that the `pages` name, and what those load later.
///
/// # Errors
///
/// Names the file and what of it cannot be joined.
pub(crate) fn all(pages: &[&str], read: Read<'_>) -> Result<Vec<Joined>, String> {
    let mut files = Vec::new();
    for name in named(pages) {
        if name.ends_with(".css") {
            files.push(sheet(name, read, &mut Vec::new())?);
        } else if name.ends_with(".js") {
            scripts(name, read, &mut files)?;
        }
    }
    Ok(files)
}

/// The files that the pages name, each once.
fn named<'a>(pages: &[&'a str]) -> BTreeSet<&'a str> {
    let rests = pages.iter().flat_map(|page| page.split(ADDRESS).skip(1));
    rests.filter_map(|rest| rest.split('"').next()).collect()
}

/// A style sheet in which each `@import` has become what it imports.
fn sheet(name: &str, read: Read<'_>, above: &mut Vec<String>) -> Result<Joined, String> {
    if above.iter().any(|it| it == name) {
        return Err(circle(name, above));
    }
    above.push(name.to_owned());
    let mut joined =
        Joined { name: name.to_owned(), text: String::new(), of: vec![name.to_owned()] };
    for line in text_of(name, read)?.lines() {
        match line.strip_prefix("@import \"").and_then(|rest| rest.strip_suffix("\";")) {
            Some(path) if !path.contains('"') => {
                let other = sheet(&beside(name, path), read, above)?;
                joined.text.push_str(&other.text);
                joined.of.extend(other.of);
            }
            _ if line.trim_start().starts_with("@import") => {
                return Err(format!("web/{name}: `{line}`: expected @import \"…\";"));
            }
            _ => joined.text.extend([line, "\n"]),
        }
    }
    above.pop();
    Ok(joined)
}

/// The script `first` with what it imports, and another file for each module that it loads later.
fn scripts(first: &str, read: Read<'_>, files: &mut Vec<Joined>) -> Result<(), String> {
    let mut modules = Modules { read, known: BTreeMap::new() };
    let own = modules.order(first)?;
    let later: BTreeSet<_> = own.iter().flat_map(|name| modules.known[name].later()).collect();
    let (mut shared, mut after) = (BTreeSet::new(), Vec::new());
    for name in later {
        let (known, new): (Vec<_>, _) =
            modules.order(&name)?.into_iter().partition(|it| own.contains(it));
        if let Some(deep) = new.iter().find(|name| !modules.known[*name].later().is_empty()) {
            return Err(format!(
                "web/{deep}: is itself loaded later and loads another module; expected \
                                only {first}, and what it imports, to do so"
            ));
        }
        let twice = |it: &&String| after.iter().any(|file: &Joined| file.of.contains(*it));
        if let Some(twice) = new.iter().find(twice) {
            return Err(format!("web/{twice}: would run twice; expected {first} to import it too"));
        }
        modules.stay(&new, &name)?;
        let from = relative(&name, first);
        let mut text = format!("import {{ {} }} from \"{from}\";\n", variables(&known));
        modules.write(&new, &name, &mut text);
        shared.extend(known);
        after.push(Joined { name, text, of: new });
    }
    modules.stay(&own, first)?;
    let mut text = String::new();
    modules.write(&own, first, &mut text);
    if !shared.is_empty() {
        let shared: Vec<_> = shared.into_iter().collect();
        writeln!(text, "export {{ {} }};", variables(&shared)).expect("a String takes everything");
    }
    files.push(Joined { name: first.to_owned(), text, of: own });
    files.append(&mut after);
    Ok(())
}

/// The modules that have been read.
struct Modules<'a> {
    read: Read<'a>,
    known: BTreeMap<String, Module>,
}

impl Modules<'_> {
    /// `first` and all that it imports in the order in which JavaScript runs them.
    fn order(&mut self, first: &str) -> Result<Vec<String>, String> {
        let mut order = Vec::new();
        self.visit(first, &mut Vec::new(), &mut order)?;
        Ok(order)
    }

    fn visit(
        &mut self,
        name: &str,
        above: &mut Vec<String>,
        order: &mut Vec<String>,
    ) -> Result<(), String> {
        if order.iter().any(|it| it == name) {
            return Ok(());
        }
        if above.iter().any(|it| it == name) {
            return Err(circle(name, above));
        }
        if !self.known.contains_key(name) {
            let module = Module::parse(name, &text_of(name, self.read)?)?;
            self.known.insert(name.to_owned(), module);
        }
        above.push(name.to_owned());
        for import in self.known[name].imports.clone() {
            self.visit(&import.from, above, order)?;
            let exports = &self.known[&import.from].exports;
            if let Some(taken) = import.names().find(|taken| exports.iter().all(|it| it != taken)) {
                return Err(format!("web/{name}: {} exports no {taken}", import.from));
            }
        }
        above.pop();
        order.push(name.to_owned());
        Ok(())
    }

    /// Says whether these modules, served as the file `name`, still find what they name by its place.
    fn stay(&self, modules: &[String], name: &str) -> Result<(), String> {
        let moved = modules.iter().filter(|module| beside(module, "") != beside(name, ""));
        match moved.into_iter().find(|module| self.known[*module].has_places()) {
            None => Ok(()),
            Some(module) => Err(format!(
                "web/{module}: loads or names a file by its place, and is served as {name}; \
                 expected a module in the folder of {name} to do so"
            )),
        }
    }

    /// Writes these modules, of which the last is what the file `name` is for.
    fn write(&self, modules: &[String], name: &str, text: &mut String) {
        for module in modules {
            self.known[module].write(name, text);
        }
        let exports = self.known[name].exports.join(", ");
        if !exports.is_empty() {
            let of = variable(name);
            writeln!(text, "export const {{ {exports} }} = {of};")
                .expect("a String takes everything");
        }
    }
}

/// One module of `web/`.
struct Module {
    name: String,
    imports: Vec<Import>,
    /// The names that it exports.
    exports: Vec<String>,
    /// What is left without these statements and without comments.
    body: String,
}

/// One statement of import.
#[derive(Clone)]
struct Import {
    /// The module.
    from: String,
    /// What receives it, as in `{ apply, age: shown }` or `api`; empty: nothing does.
    takes: String,
}

impl Import {
    /// What it takes of the module.
    fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.takes.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let names = names.unwrap_or_default().split(',');
        names.filter_map(|name| name.split(':').next()).map(str::trim).filter(|it| !it.is_empty())
    }
}

impl Module {
    fn parse(name: &str, source: &str) -> Result<Self, String> {
        let mut module =
            Self { name: name.to_owned(), imports: vec![], exports: vec![], body: String::new() };
        let bare = bare(source);
        let mut lines = bare.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("import ") {
                let mut statement = line.to_owned();
                while !statement.ends_with("\";") {
                    let next =
                        lines.next().ok_or_else(|| format!("web/{name}: no end of `{line}`"))?;
                    statement.push_str(next.trim_start());
                }
                module.imports.push(import(name, &statement)?);
            } else if let Some(rest) = line.strip_prefix("export ") {
                module.exports.push(exported(rest).ok_or_else(|| {
                    format!("web/{name}: `{line}`: expected export and a function, class or const")
                })?);
                module.body.extend([rest, "\n"]);
            } else {
                module.body.extend([line, "\n"]);
            }
        }
        Ok(module)
    }

    /// The modules that it loads later.
    fn later(&self) -> Vec<String> {
        let rests = self.body.split(LATER).skip(1);
        let paths = rests.filter_map(|rest| rest.split('"').next());
        paths.map(|path| beside(&self.name, path)).collect()
    }

    /// Whether it says `import(PLACE)` or `new URL(PLACE, import.meta.url)`.
    fn has_places(&self) -> bool {
        let mut loads = self.body.split("import(").skip(1);
        loads.any(|rest| !rest.starts_with('"')) || self.body.contains(", import.meta.url)")
    }

    /// Writes it as a function of the file `file`.
    fn write(&self, file: &str, text: &mut String) {
        text.extend(["const ", &variable(&self.name), " = (() => {\n"]);
        for Import { from, takes } in &self.imports {
            if !takes.is_empty() {
                text.extend(["const ", takes, " = ", &variable(from), ";\n"]);
            }
        }
        let mut rests = self.body.split(LATER);
        text.extend(rests.next());
        for rest in rests {
            let (path, rest) = rest.split_once('"').unwrap_or((rest, ""));
            text.extend([LATER, &relative(file, &beside(&self.name, path)), "\"", rest]);
        }
        text.extend(["return { ", &self.exports.join(", "), " };\n})();\n"]);
    }
}

/// A whole statement of import on one line.
fn import(name: &str, statement: &str) -> Result<Import, String> {
    let refused = || {
        let kinds = "import { … } from \"…\", import * as … from \"…\", or import \"…\"";
        format!("web/{name}: `{statement}`: expected {kinds}")
    };
    let rest = statement.strip_prefix("import ").and_then(|rest| rest.strip_suffix("\";"));
    let (what, path) = rest.and_then(|rest| rest.rsplit_once('"')).ok_or_else(refused)?;
    if what.contains("\";") {
        return Err(refused());
    }
    let takes = match what.strip_suffix(" from ") {
        None if what.is_empty() => String::new(),
        Some(what) => match what.strip_prefix("* as ") {
            Some(all) => all.to_owned(),
            None if what.starts_with('{') => what.replace(" as ", ": "),
            None => return Err(refused()),
        },
        None => return Err(refused()),
    };
    Ok(Import { from: beside(name, path), takes })
}

/// The name in `function shown(…`, `const SHOWN = …` and the like; none: it is none of those.
fn exported(rest: &str) -> Option<String> {
    let rest = rest.strip_prefix("async ").unwrap_or(rest);
    let kinds = ["function* ", "function ", "class ", "const "];
    let rest = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    (end > 0).then(|| rest[..end].to_owned())
}

/// A module without the comments that stand on lines of their own: they are for whoever reads the sources, and a
/// third of what travels. Every line stays where it was.
pub(crate) fn bare(source: &str) -> String {
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

fn text_of(name: &str, read: Read<'_>) -> Result<String, String> {
    read(name).ok_or_else(|| format!("web/{name}: is named and not there"))
}

fn circle(name: &str, above: &[String]) -> String {
    let way = above.join(" → ");
    format!("web/{name}: is imported by what it imports ({way} → {name})")
}

/// What a module is called in the file that has it.
fn variable(name: &str) -> String {
    let name = name.trim_end_matches(".js");
    let name = name.replace(|c: char| !c.is_alphanumeric(), "_");
    format!("${name}")
}

fn variables(names: &[String]) -> String {
    names.iter().map(|name| variable(name)).collect::<Vec<_>>().join(", ")
}

/// The name of what the file `name` calls `path`.
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

/// What the file `name` has to call the file `other`.
fn relative(name: &str, other: &str) -> String {
    let ups = name.matches('/').count();
    format!("{}{other}", if ups == 0 { "./".to_owned() } else { "../".repeat(ups) })
}

// Named because build.rs takes this file by its path.
#[cfg(test)]
#[path = "join/tests.rs"]
mod tests;
