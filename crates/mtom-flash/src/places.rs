//! Where the images of the firmware lie.
//!
//! A release has them in a folder beside the program; a working tree has them where
//! `cargo xtask firmware build` puts them. Nothing is ever downloaded.

use crate::board::{Board, Role};
use std::path::{Path, PathBuf};

/// No image lies where one may lie.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no image of the {role} for {}; looked for\n{}\nbuild it with: cargo xtask firmware build{}\nor name an ELF file with --image",
    either(.boards), lines(.looked_for), flag(.boards)
)]
pub struct NoImage {
    role: Role,
    boards: Vec<Board>,
    looked_for: Vec<PathBuf>,
}

/// The image of `role` for the first of `boards` that has one.
///
/// `executable` is the running program, `current` the folder it was started in.
///
/// # Errors
/// When there is none; the error names every place.
pub fn find(
    role: Role,
    boards: &[Board],
    executable: &Path,
    current: &Path,
) -> Result<PathBuf, NoImage> {
    let looked_for: Vec<PathBuf> =
        boards.iter().flat_map(|board| candidates(role, *board, executable, current)).collect();
    match looked_for.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => Err(NoImage { role, boards: boards.to_vec(), looked_for }),
    }
}

fn candidates(role: Role, board: Board, executable: &Path, current: &Path) -> Vec<PathBuf> {
    let image: PathBuf = [board.to_string(), role.to_string()].iter().collect();
    let built = Path::new("target").join("firmware").join(&image);
    let mut paths = vec![executable.with_file_name("firmware").join(&image), current.join(&built)];
    for folder in executable.ancestors().skip(1) {
        let path = folder.join(&built);
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

fn either(boards: &[Board]) -> String {
    boards.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

fn lines(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| format!("  {}", path.display())).collect::<Vec<_>>().join("\n")
}

/// Without one the command builds for all boards.
fn flag(boards: &[Board]) -> String {
    match boards {
        [board] => format!(" --board {board}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
