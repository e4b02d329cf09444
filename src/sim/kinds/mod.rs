//! The kinds that a stand-in server knows: the table of built-in ones and what custom definitions add.
//!
//! Takes table rows and definitions, gives a registry by path and by kind. Holds no objects.

pub mod definition;
mod table_core;
mod table_fleet;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use crate::api::object::GroupVersionKind;

pub use table_core::CORE;
pub use table_fleet::{HUB, MANAGED};

/// Which kinds a server offers and how it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Core kinds and Open Cluster Management's hub kinds.
    Hub,
    /// Core kinds, OLM's, OADP's and Velero's.
    Managed,
    /// A managed cluster with core kinds alone; others come with their definitions.
    Bare,
}

impl Role {
    /// The kinds that are there by a definition.
    pub fn definitions(self) -> &'static [Row] {
        match self {
            Self::Hub => HUB,
            Self::Managed => MANAGED,
            Self::Bare => &[],
        }
    }
}

/// Whether objects live in namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// No namespace.
    Cluster,
    /// In a namespace.
    Namespaced,
}

/// Where a kind comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Part of the server: strategic merge patches work, items of lists carry no type.
    BuiltIn,
    /// From a `CustomResourceDefinition`.
    Custom,
    /// Answers to questions, never stored (`SelfSubjectAccessReview`).
    Review,
}

/// Identity of stored objects: all versions of a kind share one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// API group.
    pub group: Arc<str>,
    /// Plural.
    pub plural: Arc<str>,
}

impl ResourceId {
    /// From both parts.
    pub fn new(group: &str, plural: &str) -> Self {
        Self { group: group.into(), plural: plural.into() }
    }
}

/// What a printer column shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// A JSON path in the dialect of `additionalPrinterColumns`.
    Path(String),
    /// Number of entries of the mappings at these fields.
    Count(&'static [&'static str]),
    /// Ready of all containers of a pod, `1/2`.
    PodReady,
    /// Restarts of all containers of a pod.
    PodRestarts,
    /// Ready of all desired replicas, `1/2`.
    ReplicasReady,
    /// Access modes of a volume, `RWO,RWX`.
    AccessModes,
    /// `pod/name` of the object that an event is about.
    EventObject,
    /// `80/TCP,443/TCP`.
    ServicePorts,
    /// `Ready` or `NotReady` of a node.
    NodeStatus,
    /// `Role/name` that a binding gives.
    RoleRef,
}

/// One printer column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Heading.
    pub name: String,
    /// `string`, `integer`, `boolean`, `date`.
    pub type_name: String,
    /// What it shows.
    pub cell: Cell,
    /// What a table says about it.
    pub description: String,
    /// 0 is always shown, more only with `-o wide`.
    pub priority: i64,
}

/// A column of the table of kinds.
#[derive(Debug, Clone, Copy)]
pub struct ColumnRow {
    name: &'static str,
    type_name: &'static str,
    cell: CellRow,
    description: &'static str,
    priority: i64,
}

impl ColumnRow {
    const fn about(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }
}

#[derive(Debug, Clone, Copy)]
enum CellRow {
    Path(&'static str),
    Computed(&'static Cell),
}

const fn column(name: &'static str, type_name: &'static str, path: &'static str) -> ColumnRow {
    ColumnRow { name, type_name, cell: CellRow::Path(path), description: "", priority: 0 }
}

const fn wide(name: &'static str, type_name: &'static str, path: &'static str) -> ColumnRow {
    ColumnRow { name, type_name, cell: CellRow::Path(path), description: "", priority: 1 }
}

const fn computed(name: &'static str, cell: &'static Cell) -> ColumnRow {
    ColumnRow { name, type_name: "string", cell: CellRow::Computed(cell), description: "", priority: 0 }
}

/// The usual last column.
const AGE: ColumnRow = column("Age", "date", ".metadata.creationTimestamp").about(AGE_TEXT);

/// What a table says about the age.
const AGE_TEXT: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// A row of the table of kinds.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// API group, empty for core.
    pub group: &'static str,
    /// Version.
    pub version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Plural; the singular is the kind in lower case.
    pub plural: &'static str,
    /// Short names.
    pub short_names: &'static [&'static str],
    /// Categories (`all`, `olm`).
    pub categories: &'static [&'static str],
    /// Scope.
    pub scope: Scope,
    /// Whether `/status` is a resource of its own.
    pub status_subresource: bool,
    /// Columns after the name; none means the age alone.
    pub columns: &'static [ColumnRow],
    /// Whether the objects are only answers.
    pub review: bool,
    /// Another group whose objects these are (`events.k8s.io` shows the events of core).
    pub stored_in: Option<&'static str>,
}

const fn row(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Row {
    Row {
        group,
        version,
        kind,
        plural,
        short_names: &[],
        categories: &[],
        scope: Scope::Namespaced,
        status_subresource: false,
        columns: &[],
        review: false,
        stored_in: None,
    }
}

impl Row {
    const fn short(mut self, short_names: &'static [&'static str]) -> Self {
        self.short_names = short_names;
        self
    }

    const fn cluster(mut self) -> Self {
        self.scope = Scope::Cluster;
        self
    }

    const fn status(mut self) -> Self {
        self.status_subresource = true;
        self
    }

    const fn category(mut self, categories: &'static [&'static str]) -> Self {
        self.categories = categories;
        self
    }

    const fn columns(mut self, columns: &'static [ColumnRow]) -> Self {
        self.columns = columns;
        self
    }

    const fn review(mut self) -> Self {
        self.review = true;
        self
    }

    const fn stored_in(mut self, group: &'static str) -> Self {
        self.stored_in = Some(group);
        self
    }

    fn to_kind(self) -> Kind {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let storage_group = self.stored_in.unwrap_or(self.group);
        let columns = if self.columns.is_empty() { &[AGE] } else { self.columns };
        Kind {
            group: self.group.to_owned(),
            version: self.version.to_owned(),
            kind: self.kind.to_owned(),
            list_kind: format!("{}List", self.kind),
            plural: self.plural.to_owned(),
            singular: self.kind.to_lowercase(),
            short_names: texts(self.short_names),
            categories: texts(self.categories),
            scope: self.scope,
            status_subresource: self.status_subresource,
            columns: columns.iter().map(|column| column.to_column()).collect(),
            schema: None,
            origin: if self.review { Origin::Review } else { Origin::BuiltIn },
            storage: ResourceId::new(storage_group, self.plural),
            storage_version: self.version.to_owned(),
        }
    }
}

impl ColumnRow {
    fn to_column(self) -> Column {
        Column {
            name: self.name.to_owned(),
            type_name: self.type_name.to_owned(),
            cell: match self.cell {
                CellRow::Path(path) => Cell::Path(path.to_owned()),
                CellRow::Computed(cell) => cell.clone(),
            },
            description: self.description.to_owned(),
            priority: self.priority,
        }
    }
}

/// One version of a kind, as the server offers it.
#[derive(Debug, Clone)]
pub struct Kind {
    /// API group, empty for core.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Kind of lists.
    pub list_kind: String,
    /// Plural.
    pub plural: String,
    /// Singular.
    pub singular: String,
    /// Short names.
    pub short_names: Vec<String>,
    /// Categories.
    pub categories: Vec<String>,
    /// Scope.
    pub scope: Scope,
    /// Whether `/status` is a resource of its own.
    pub status_subresource: bool,
    /// Columns after the name.
    pub columns: Vec<Column>,
    /// `openAPIV3Schema` of a custom kind.
    pub schema: Option<Arc<Value>>,
    /// Where it comes from.
    pub origin: Origin,
    /// Under which identity its objects are stored.
    pub storage: ResourceId,
    /// The version that the stored objects carry.
    pub storage_version: String,
}

impl Kind {
    /// `group/version` or the version of core.
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// `apiVersion` of the stored objects.
    pub fn stored_api_version(&self) -> String {
        api_version(&self.storage.group, &self.storage_version)
    }

    /// Group, version and kind.
    pub fn gvk(&self) -> GroupVersionKind {
        GroupVersionKind { group: self.group.clone(), version: self.version.clone(), kind: self.kind.clone() }
    }

    /// Whether `metadata.generation` counts changes: custom kinds and the workloads.
    pub fn has_generation(&self) -> bool {
        self.origin == Origin::Custom
            || matches!(self.group.as_str(), "apps" | "batch" | "networking.k8s.io" | "apiextensions.k8s.io")
    }

    /// Whether it is the kind of another group, whatever the version.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// All kinds of a server.
#[derive(Debug, Clone, Default)]
pub struct Kinds {
    by_kind: HashMap<String, HashMap<String, Vec<Arc<Kind>>>>,
    by_path: BTreeMap<(String, String), BTreeMap<String, Arc<Kind>>>,
}

impl Kinds {
    /// The built-in kinds.
    pub fn built_in() -> Self {
        let mut kinds = Self::default();
        for row in CORE {
            kinds.insert(row.to_kind());
        }
        kinds
    }

    /// Adds a version of a kind. The first one added of a kind is the preferred one.
    pub fn insert(&mut self, kind: Kind) {
        let kind = Arc::new(kind);
        let versions =
            self.by_kind.entry(kind.group.clone()).or_default().entry(kind.kind.clone()).or_default();
        versions.retain(|version| version.version != kind.version);
        versions.push(Arc::clone(&kind));
        let path = (kind.group.clone(), kind.version.clone());
        self.by_path.entry(path).or_default().insert(kind.plural.clone(), kind);
    }

    /// Removes all versions of a custom resource.
    pub fn remove(&mut self, group: &str, plural: &str) {
        for kinds in self.by_kind.get_mut(group).into_iter().flat_map(HashMap::values_mut) {
            kinds.retain(|kind| kind.plural != plural);
        }
        for ((of, _), kinds) in &mut self.by_path {
            if of == group {
                kinds.remove(plural);
            }
        }
        self.by_path.retain(|_, kinds| !kinds.is_empty());
    }

    /// The kind at `/apis/<group>/<version>/<plural>`.
    pub fn at_path(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Kind>> {
        self.by_path.get(&(group.to_owned(), version.to_owned()))?.get(plural)
    }

    /// The preferred version of a kind.
    pub fn preferred(&self, group: &str, kind: &str) -> Option<&Arc<Kind>> {
        self.by_kind.get(group)?.get(kind)?.first()
    }

    /// The version that an object names, or else the preferred one.
    pub fn of(&self, gvk: &GroupVersionKind) -> Option<&Arc<Kind>> {
        let versions = self.by_kind.get(&gvk.group)?.get(&gvk.kind)?;
        versions.iter().find(|kind| kind.version == gvk.version).or_else(|| versions.first())
    }

    /// Some version of the kind that stores objects under this identity.
    pub fn of_resource(&self, resource: &ResourceId) -> Option<&Arc<Kind>> {
        self.group_versions()
            .filter(|((group, _), _)| **group == *resource.group)
            .find_map(|(_, kinds)| kinds.get(&*resource.plural))
    }

    /// Whether a group and version has kinds.
    pub fn has(&self, group: &str, version: &str) -> bool {
        self.by_path.contains_key(&(group.to_owned(), version.to_owned()))
    }

    /// All kinds, by group and version, then plural.
    pub fn group_versions(&self) -> impl Iterator<Item = (&(String, String), &BTreeMap<String, Arc<Kind>>)> {
        self.by_path.iter()
    }

    /// The groups with their versions, the stable and newest first.
    pub fn groups(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (group, version) in self.by_path.keys() {
            groups.entry(group).or_default().push(version);
        }
        for versions in groups.values_mut() {
            versions.sort_by_key(|version| std::cmp::Reverse(version_priority(version)));
        }
        groups
    }
}

/// Orders versions as the API server does: `v2` before `v1` before `v1beta2` before `v1alpha1` before the rest.
pub fn version_priority(version: &str) -> (u8, u64, u64) {
    let parse = || {
        let rest = version.strip_prefix('v')?;
        let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        let major: u64 = rest[..digits].parse().ok()?;
        let (stage, minor) = match &rest[digits..] {
            "" => return Some((3, major, 0)),
            rest => match rest.strip_prefix("beta") {
                Some(minor) => (2, minor),
                None => (1, rest.strip_prefix("alpha")?),
            },
        };
        Some((stage, major, minor.parse().ok()?))
    };
    parse().unwrap_or((0, 0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_the_api_server_does() {
        let mut versions = ["v1alpha1", "foo", "v1", "v1beta2", "v2", "v1beta1", "v10"];
        versions.sort_by_key(|version| std::cmp::Reverse(version_priority(version)));
        assert_eq!(versions, ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "foo"]);
    }

    #[test]
    fn plurals_and_short_names_are_unique_on_a_server() {
        for role in [Role::Hub, Role::Managed] {
            let mut seen = std::collections::BTreeSet::new();
            for row in CORE.iter().chain(role.definitions()) {
                assert!(seen.insert((row.group, row.version, row.plural)), "{} twice", row.plural);
            }
        }
    }
}
