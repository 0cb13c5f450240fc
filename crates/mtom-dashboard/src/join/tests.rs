//! Joined modules, run by node as a browser runs them.

use super::{Joined, all};
use std::collections::BTreeMap;
use std::process::Command;

const PAGE: &str = r#"<script type="module" src="/a/@tree@/app.js"></script>"#;

fn joined(files: &[(&str, &str)]) -> Result<Vec<Joined>, String> {
    let files: BTreeMap<_, _> = files.iter().copied().collect();
    all(&[PAGE], &|name| files.get(name).map(|text| (*text).to_owned()))
}

fn refusal(files: &[(&str, &str)]) -> String {
    joined(files).unwrap_err()
}

/// What `app.js` prints.
fn run(files: &[Joined]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("package.json"), r#"{"type": "module"}"#).unwrap();
    for Joined { name, text, .. } in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let output = Command::new("node").arg(folder.path().join("app.js")).output();
    let output = output.expect("node, which the page's tools need anyway");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const COUNT: &str = "
let count = 0;
console.log('count runs');
/** Counts. */
export function next() {
  count += 1;
  return count;
}
";

#[test]
fn modules_run_in_their_order_once_and_share_what_they_hold() {
    let files = joined(&[
        (
            "app.js",
            "import { first as one, Two } from \"./parts/a.js\";
import * as count from \"./parts/count.js\";
import \"./parts/effect.js\";

const next = \"my own\";
console.log(one, new Two().name, count.next(), next);
",
        ),
        (
            "parts/a.js",
            "import {
  next,
} from \"./count.js\";
export const first = next();
export class Two {
  name = \"two\";
}
export async function* unused() {}
",
        ),
        ("parts/count.js", COUNT),
        ("parts/effect.js", "console.log(\"effect\");\n"),
    ])
    .unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].of, ["parts/count.js", "parts/a.js", "parts/effect.js", "app.js"]);
    assert_eq!(run(&files), "count runs\neffect\n1 two 2 my own\n");
}

const LATE: [(&str, &str); 4] = [
    (
        "app.js",
        "import { next } from \"./parts/count.js\";
console.log(next());
async function later() {
  const { show } = await import(\"./parts/late.js\");
  show();
}
void later();
",
    ),
    ("parts/count.js", COUNT),
    (
        "parts/late.js",
        "import { next } from \"./count.js\";
import { twice } from \"./twice.js\";
export function show() {
  console.log(twice(next()));
}
",
    ),
    ("parts/twice.js", "export const twice = (n) => 2 * n;\n"),
];

#[test]
fn what_is_loaded_later_is_a_file_that_shares_the_modules_of_the_first() {
    let files = joined(&LATE).unwrap();
    let names: Vec<_> = files.iter().map(|file| &*file.name).collect();
    assert_eq!(names, ["app.js", "parts/late.js"]);
    assert_eq!(files[1].of, ["parts/twice.js", "parts/late.js"]);
    assert_eq!(run(&files), "count runs\n1\n4\n");
    let mut deep = LATE;
    deep[3].1 = "export const twice = async () => await import(\"./deep.js\");\n";
    let said = refusal(&deep);
    assert!(said.starts_with("web/parts/twice.js: is itself loaded later"), "{said}");
    let mut two = LATE.to_vec();
    let also =
        "void import_();\nasync function import_() {\n  await import(\"./parts/also.js\");\n}\n";
    let app = format!("{}{also}", LATE[0].1);
    two[0].1 = &app;
    two.push(("parts/also.js", "import \"./twice.js\";\n"));
    let said = refusal(&two);
    assert_eq!(said, "web/parts/twice.js: would run twice; expected app.js to import it too");
}

#[test]
fn a_style_sheet_takes_in_what_it_imports_in_its_order() {
    let page = r#"<link rel="stylesheet" href="/a/@tree@/page.css">"#;
    let read = |name: &str| {
        Some(match name {
            "page.css" => {
                "@import \"a.css\";\n@import \"parts/b.css\";\np { color: red; }\n".into()
            }
            "a.css" => "a { color: red; }\n".into(),
            "parts/b.css" => "b { color: red; }\n".into(),
            _ => return None,
        })
    };
    let files = all(&[page], &read).unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].text, "a { color: red; }\nb { color: red; }\np { color: red; }\n");
    assert_eq!(files[0].of, ["page.css", "a.css", "parts/b.css"]);
    for (text, said) in [
        (
            "@import \"page.css\";",
            "web/page.css: is imported by what it imports (page.css → page.css)",
        ),
        (" @import \"a.css\";", "web/page.css: ` @import \"a.css\";`: expected @import \"…\";"),
        (
            "@import \"a.css\" print;",
            "web/page.css: `@import \"a.css\" print;`: expected @import \"…\";",
        ),
    ] {
        assert_eq!(all(&[page], &|_| Some(text.to_owned())), Err(said.to_owned()));
    }
}

#[test]
fn what_cannot_be_joined_is_named_with_its_place() {
    let others = [
        ("b.js", "import \"./app.js\";\n"),
        ("d.js", "export const d = 1;\n"),
        ("parts/e.js", "const lib = () => import(PLACE);\n"),
    ];
    let refused = |source| refusal(&[&[("app.js", source)], &others[..]].concat());
    for (source, said) in [
        ("import \"./c.js\";\n", "web/c.js: is named and not there"),
        (
            "import \"./b.js\";\n",
            "web/app.js: is imported by what it imports (app.js → b.js → app.js)",
        ),
        (
            "export let count = 0;\n",
            "web/app.js: `export let count = 0;`: expected export and a function, class or const",
        ),
        (
            "export default 1;\n",
            "web/app.js: `export default 1;`: expected export and a function, class or const",
        ),
        ("import {\n  a,\n", "web/app.js: no end of `import {`"),
        ("import { a as c } from \"./d.js\";\n", "web/app.js: d.js exports no a"),
        (
            "import \"./parts/e.js\";\n",
            "web/parts/e.js: loads or names a file by its place, and is served as app.js; expected a \
             module in the folder of app.js to do so",
        ),
        (
            "import { d } from \"./d.js\"; // why\nconst e = \"\";\n",
            "web/app.js: `import { d } from \"./d.js\"; // whyconst e = \"\";`: expected import { … } \
             from \"…\", import * as … from \"…\", or import \"…\"",
        ),
        (
            "import b from \"./b.js\";\n",
            "web/app.js: `import b from \"./b.js\";`: expected import { … } from \"…\", \
             import * as … from \"…\", or import \"…\"",
        ),
    ] {
        assert_eq!(refused(source), said, "{source}");
    }
}
