//! Recipes: which packages a payload is made of, and what is taken out of them. Data, not code.

use migos_payload::board::{Architecture, BoardType};
use migos_payload::manifest::Restart;
use serde::{Deserialize, Deserializer, de};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The version of the recipes' form.
pub(crate) const RECIPE_SCHEMA: u32 = 1;

const BUILTIN: &[&str] = &[
    include_str!("../recipes/debian-arm64.yaml"),
    include_str!("../recipes/debian-armhf.yaml"),
    include_str!("../recipes/raspios-arm64.yaml"),
    include_str!("../recipes/raspios-armhf.yaml"),
];

/// How a payload is made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The version of its form: 1.
    pub recipe: u32,
    /// Its name.
    pub name: String,
    /// What it is for, in a line.
    pub about: String,
    /// What its packages run on.
    pub architecture: Architecture,
    /// Whether its kernels can restart the board before modules are loaded.
    pub restart: Restart,
    /// The most bytes of all files of the payload.
    pub limit: u64,
    /// How the ramdisk is compressed.
    pub compression: Compression,
    /// The archives its packages come from.
    pub sources: Vec<Source>,
    /// The boards it is for.
    #[serde(deserialize_with = "boards")]
    pub boards: BTreeSet<BoardType>,
    /// Its kernels, each with its own modules.
    pub kernels: Vec<Kernel>,
    /// Its device trees, taken from the first kernel's package.
    pub device_trees: Files,
    /// Overlays beside the device trees; none if left out.
    #[serde(default)]
    pub overlays: Option<Files>,
    /// Kernel modules by name, in the order they are loaded in.
    pub modules: Vec<String>,
    /// Packages that are fetched with all that they depend on.
    pub packages: Vec<String>,
    /// Programs of these packages, by path; their libraries come along.
    pub programs: Vec<String>,
    /// Links to busybox.
    pub applets: Vec<Applets>,
    /// Beginnings of names under `lib/firmware`.
    pub firmware: Vec<String>,
    /// Firmware under another name than in its package.
    #[serde(default)]
    pub firmware_as: BTreeMap<String, String>,
}

/// How a ramdisk is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Taken by every kernel.
    Gzip,
    /// A third smaller than gzip, and quicker to unpack; kernels from 5.9 on.
    Zstd,
    /// The smallest, and slow to unpack: a second or more for each ten megabytes on the oldest boards.
    Xz,
}

/// A package archive.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The name it has in `--mirror NAME=URL`.
    pub name: String,
    /// The release.
    pub suite: String,
    /// The release's components.
    pub components: Vec<String>,
    /// The keys that may sign it.
    pub keyring: PathBuf,
    /// The package that has these keys.
    pub keyring_package: String,
}

/// A kernel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// Its package, or one that depends on the newest `linux-image-…`.
    pub package: String,
    /// Its image in the package; `{release}` stands for its release.
    pub image: String,
    /// Whether the image is packed with gzip: the firmware unpacks 64-bit kernels.
    #[serde(default)]
    pub gzip: bool,
    /// The names the firmware looks for.
    pub names: Vec<String>,
}

/// Files of a kernel's package, under other names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Their folder; `{release}` stands for the kernel's release.
    pub folder: String,
    /// Names in the package by the names in the payload.
    pub files: BTreeMap<String, String>,
}

/// Links to busybox in one folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applets {
    /// The folder in the ramdisk.
    pub folder: String,
    /// The links.
    pub names: Vec<String>,
}

/// Why there is no such recipe.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// Not YAML of a recipe's form.
    #[error("failed to read the recipe")]
    Read(#[source] serde_yaml::Error),
    /// Another form than this version reads.
    #[error("the recipe has schema {0}, this version reads {RECIPE_SCHEMA}")]
    Schema(u32),
    /// A board that the payload would claim to boot but has no device tree for.
    #[error("the recipe has no device tree for the board {0}")]
    NoDeviceTree(BoardType),
    /// No recipe of this name is built in.
    #[error("there is no recipe {name}; built in are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// Those there are.
        known: String,
    },
}

impl Recipe {
    /// Reads a recipe.
    ///
    /// # Errors
    /// [`RecipeError`], if it is none or contradicts itself.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        let recipe: Recipe = serde_yaml::from_str(text).map_err(RecipeError::Read)?;
        if recipe.recipe != RECIPE_SCHEMA {
            return Err(RecipeError::Schema(recipe.recipe));
        }
        let has = |name: &&str| recipe.device_trees.files.contains_key(*name);
        match recipe.boards.iter().find(|board| !board.device_trees().iter().any(has)) {
            Some(board) => Err(RecipeError::NoDeviceTree(*board)),
            None => Ok(recipe),
        }
    }

    /// The recipes that are built in.
    ///
    /// # Errors
    /// None with the built-in texts; a test keeps it so.
    pub fn builtin() -> Result<Vec<Recipe>, RecipeError> {
        BUILTIN.iter().map(|text| Recipe::parse(text)).collect()
    }

    /// The built-in recipe with this name.
    ///
    /// # Errors
    /// [`RecipeError::Unknown`], with the names there are.
    pub fn named(name: &str) -> Result<Recipe, RecipeError> {
        let recipes = Recipe::builtin()?;
        let known: Vec<_> = recipes.iter().map(|recipe| recipe.name.as_str()).collect();
        let known = known.join(", ");
        let found = recipes.into_iter().find(|recipe| recipe.name == name);
        found.ok_or_else(|| RecipeError::Unknown { name: name.to_owned(), known })
    }
}

fn boards<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<BoardType>, D::Error> {
    let named = |name: String| {
        BoardType::named(&name)
            .ok_or_else(|| de::Error::custom(format!("there is no board {name:?}")))
    };
    Vec::<String>::deserialize(deserializer)?.into_iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use migos_payload::board::Revision;

    #[test]
    fn every_board_of_a_recipe_has_a_kernel_and_a_device_tree() {
        // One code of each board (Raspberry Pi documentation: revision codes).
        let codes = [
            0x900001, 0x900011, 0x900021, 0x900032, 0x900061, 0x900093, 0x9000c1, 0xa01041,
            0xa02082, 0xa020a0, 0xa020d3, 0x9020e0, 0xa02100, 0x902120, 0xc03111, 0xc03130,
            0xb03140,
        ]
        .map(Revision);
        for recipe in Recipe::builtin().unwrap() {
            for board in &recipe.boards {
                let soc = codes.iter().find(|it| it.board_type() == *board).and_then(|it| it.soc());
                let (soc, name) = (soc.unwrap(), format!("{}: {board}", recipe.name));
                let wanted = soc.kernel_names(recipe.architecture);
                let mut kernels = recipe.kernels.iter().flat_map(|it| &it.names);
                assert!(soc.runs(recipe.architecture), "{name}");
                assert!(kernels.any(|it| wanted.contains(&it.as_str())), "{name}");
                let trees = board.device_trees();
                assert!(
                    trees.iter().any(|it| recipe.device_trees.files.contains_key(*it)),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn a_board_without_a_device_tree_is_refused() {
        let text = BUILTIN[0].replace("bcm2711-rpi-400.dtb", "bcm2711-rpi-401.dtb");
        let error = Recipe::parse(&text).unwrap_err();
        assert_eq!(error.to_string(), "the recipe has no device tree for the board 400");
    }

    #[test]
    fn an_unknown_name_says_which_there_are() {
        insta::assert_snapshot!(
            Recipe::named("debian-mips").unwrap_err(),
            @"there is no recipe debian-mips; built in are debian-arm64, debian-armhf, raspios-arm64, raspios-armhf"
        );
    }
}
