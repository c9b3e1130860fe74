//! `[expect]`: figures of the whole run, the digest, and groups by name. The keys are those of the one
//! list of figures.

use super::{
    super::expect::{Bound, Figure, Unit},
    units::{Bytes, Centibytes, Count, Millis, Range},
};
use core::fmt;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use std::collections::BTreeMap;
use toml::Spanned;

/// `[expect]`.
#[derive(Default)]
pub(super) struct ExpectTable {
    pub(super) figures: Vec<(Figure, Bound)>,
    pub(super) digest: Option<Spanned<String>>,
    pub(super) groups: BTreeMap<Spanned<String>, GroupExpectTable>,
}

/// `[expect.groups.NAME]`.
pub(super) struct GroupExpectTable {
    pub(super) figures: Vec<(Figure, Bound)>,
}

/// A key of `[expect]`; of a group only a figure can be one.
enum Key<const OF_GROUP: bool> {
    Figure(Figure),
    Digest,
    Groups,
}

impl<'de, const OF_GROUP: bool> Deserialize<'de> for Key<OF_GROUP> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = || Figure::ALL.iter().filter(|figure| !OF_GROUP || figure.is_of_group());
        if let Some(figure) = known().find(|figure| figure.name() == name) {
            return Ok(Self::Figure(*figure));
        }
        match name.as_str() {
            "digest" if !OF_GROUP => Ok(Self::Digest),
            "groups" if !OF_GROUP => Ok(Self::Groups),
            _ => {
                let mut names: Vec<_> = known().map(|figure| figure.name()).collect();
                if !OF_GROUP {
                    names.extend(["digest", "groups"]);
                }
                let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                let names = names.join(", ");
                Err(D::Error::custom(format!("unknown field `{name}`, expected one of {names}")))
            }
        }
    }
}

fn bound<'de, A: MapAccess<'de>>(figure: Figure, map: &mut A) -> Result<Bound, A::Error> {
    Ok(match figure.unit() {
        Unit::Count => map.next_value::<Range<Count>>()?.bound,
        Unit::Millis => map.next_value::<Range<Millis>>()?.bound,
        Unit::Bytes => map.next_value::<Range<Bytes>>()?.bound,
        Unit::Centibytes => map.next_value::<Range<Centibytes>>()?.bound,
    })
}

struct ExpectVisitor<const OF_GROUP: bool>;

impl<'de, const OF_GROUP: bool> Visitor<'de> for ExpectVisitor<OF_GROUP> {
    type Value = ExpectTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of figures")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ExpectTable, A::Error> {
        let mut table = ExpectTable::default();
        while let Some(key) = map.next_key::<Key<OF_GROUP>>()? {
            match key {
                Key::Figure(figure) => table.figures.push((figure, bound(figure, &mut map)?)),
                Key::Digest => table.digest = Some(map.next_value()?),
                Key::Groups => table.groups = map.next_value()?,
            }
        }
        // Reports name them in the order of the one list.
        table.figures.sort_by_key(|(figure, _)| *figure);
        Ok(table)
    }
}

impl<'de> Deserialize<'de> for ExpectTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ExpectVisitor::<false>)
    }
}

impl<'de> Deserialize<'de> for GroupExpectTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ExpectTable { figures, .. } = deserializer.deserialize_map(ExpectVisitor::<true>)?;
        Ok(Self { figures })
    }
}
