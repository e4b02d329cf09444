//! What the templates of a policy ask for on a cluster, and whether two of them can both have it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::inventory::{CheckInventory, Inventory};
use super::super::target::DesiredTemplate;
use super::super::{CheckPlan, prune};
use crate::api::object::{Manifest, ObjectKey};
use crate::api::ocm::configuration_policy::{ComplianceType, MetadataComplianceType};
use crate::pipeline::compare::{Comparison, Rules, WrittenLists, compare};
use crate::pipeline::render::lookup::{Answer, Lookup, Reference};
use crate::protection::namespaces::Scope;
use crate::protection::single::{self, Single};

/// One object that a template asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Its identity.
    pub key: ObjectKey,
    /// How it should be.
    pub wish: Wish,
    /// Whether it is not so yet.
    pub changes: bool,
    /// As it was found, where that is known.
    pub observed: Option<Arc<Manifest>>,
}

/// How an object should be.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// There, like this. The name and the namespace are those of the claim.
    Present {
        /// The desired object.
        desired: Arc<Manifest>,
        /// How much of the object it speaks of.
        rules: Rules,
    },
    /// Not there.
    Absent,
    /// As its policy left it: that cannot be evaluated for now, and what it wrote is still its own.
    AsItIs,
}

impl Wish {
    /// The wish of an object template.
    pub fn of(desired: &DesiredTemplate, rules: Rules) -> Self {
        match desired.template.compliance_type {
            ComplianceType::MustNotHave => Self::Absent,
            ComplianceType::MustHave | ComplianceType::MustOnlyHave => {
                Self::Present { desired: Arc::new(desired.object.clone()), rules }
            }
        }
    }
}

/// An object whatever the version of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target<'a> {
    group: &'a str,
    kind: &'a str,
    namespace: Option<&'a str>,
    name: &'a str,
}

/// What claims contend for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place<'a> {
    /// An object.
    Object(Target<'a>),
    /// To be the only one of its kind in a namespace.
    Only(Single, Option<&'a str>),
    /// To back up namespaces.
    Protection,
}

impl Claim {
    fn target(&self) -> Target<'_> {
        Target {
            group: &self.key.gvk.group,
            kind: &self.key.gvk.kind,
            namespace: self.key.namespace.as_deref(),
            name: &self.key.name,
        }
    }

    /// Whether what it protects can only be told by a look at its Schedule.
    fn is_unseen(&self) -> bool {
        self.wish == Wish::AsItIs
            && self.observed.is_none()
            && self.key.gvk.same_kind("velero.io", "Schedule")
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place<'_>> {
        let only = match &self.wish {
            Wish::Present { desired, .. } => single::single(desired),
            Wish::Absent | Wish::AsItIs => None,
        };
        let namespace = self.key.namespace.as_deref();
        std::iter::once(Place::Object(self.target()))
            .chain(only.map(|only| Place::Only(only, namespace)))
            .chain(self.scope().map(|_| Place::Protection))
    }

    /// The namespaces that it backs up, or is to.
    fn scope(&self) -> Option<Scope> {
        match &self.wish {
            Wish::Present { desired, .. } => Scope::of(desired),
            Wish::Absent => None,
            Wish::AsItIs => Scope::of(self.observed.as_deref()?),
        }
    }

    /// Whether the object, as it was found, backs up what another claim is about.
    pub(super) fn protects_already(&self, other: &Self) -> bool {
        let found = self.observed.as_deref().and_then(Scope::of);
        found.zip(other.scope()).is_some_and(|(found, theirs)| found.shared_with(&theirs).is_some())
    }

    /// Why two claims to a place cannot both be met.
    pub(super) fn contradicts(&self, other: &Self, place: Place<'_>) -> Option<Why> {
        match place {
            Place::Object(_) => {}
            // Who wants the same object contends for that one.
            Place::Only(..) | Place::Protection if self.target() == other.target() => return None,
            Place::Only(single, _) => return Some(Why::Only(single)),
            Place::Protection => {
                let (ours, theirs) = (self.scope()?, other.scope()?);
                return ours.shared_with(&theirs).map(Why::Protected);
            }
        }
        match (&self.wish, &other.wish) {
            (Wish::Absent, Wish::Absent) | (Wish::AsItIs, Wish::AsItIs) => None,
            (Wish::AsItIs, _) => other.changes.then_some(Why::Unknown),
            (_, Wish::AsItIs) => self.changes.then_some(Why::Unknown),
            (Wish::Absent, Wish::Present { .. }) | (Wish::Present { .. }, Wish::Absent) => {
                Some(Why::Presence)
            }
            (
                Wish::Present { desired: ours, rules },
                Wish::Present { desired: theirs, rules: their_rules },
            ) => {
                let placed = |object: &Manifest| {
                    object.clone().with_namespace(self.key.namespace.as_deref()).with_name(&self.key.name)
                };
                let agree = can_both_hold((&placed(ours), *rules), (&placed(theirs), *their_rules));
                (!agree).then_some(Why::Content)
            }
        }
    }
}

/// Why two claims cannot both be met.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The object cannot be as both want it.
    Content,
    /// One wants it, the other wants it gone.
    Presence,
    /// One wrote it and cannot say now how it should be; the other would change it.
    Unknown,
    /// There may be only one such object in a namespace, and they want two.
    Only(Single),
    /// Both would back up these namespaces.
    Protected(String),
}

/// Whether one object can be as two templates want it: writing the one does not undo the other.
fn can_both_hold(one: (&Manifest, Rules), other: (&Manifest, Rules)) -> bool {
    let whole =
        [one.0, other.0].into_iter().any(single::is_whole) && [one.0, other.0].into_iter().all(has_content);
    let rules = |rules: Rules| if whole { as_a_whole(rules) } else { rules };
    let (one, other) = ((one.0, rules(one.1)), (other.0, rules(other.1)));
    if is_met(one, other.0) || is_met(other, one.0) {
        return true;
    }
    match compare(one.0, other.0, &one.1, &WrittenLists::default()) {
        Comparison::Same => true,
        Comparison::Invalid(_) => false,
        Comparison::Different(difference) => {
            is_met(one, &difference.merged) && is_met(other, &difference.merged)
        }
    }
}

fn is_met((desired, rules): (&Manifest, Rules), existing: &Manifest) -> bool {
    match compare(desired, existing, &rules, &WrittenLists::default()) {
        Comparison::Same => true,
        Comparison::Different(difference) => !difference.spec_mismatch || difference.only_absent_zeros,
        Comparison::Invalid(_) => false,
    }
}

/// The content must be the same; labels and annotations may be joined as before.
fn as_a_whole(rules: Rules) -> Rules {
    let metadata = rules.metadata.or(match rules.compliance {
        ComplianceType::MustOnlyHave => None,
        ComplianceType::MustHave | ComplianceType::MustNotHave => Some(MetadataComplianceType::MustHave),
    });
    Rules { compliance: ComplianceType::MustOnlyHave, metadata }
}

/// Whether a desired object asks for more than its existence, its labels and a status.
fn has_content(object: &Manifest) -> bool {
    object
        .fields()
        .keys()
        .any(|field| !matches!(field.as_str(), "apiVersion" | "kind" | "metadata" | "status"))
}

/// What a policy asks for on a cluster, by template.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims {
    templates: BTreeMap<String, Vec<Claim>>,
}

impl Claims {
    /// Of a policy that was evaluated: templates with a plan claim what it wants. Those without one keep what they have on
    /// the cluster, and `previous` tells how they wanted that.
    pub fn new<'a>(
        templates: impl IntoIterator<Item = (&'a str, Option<&'a CheckPlan>)>,
        previous: Option<&Self>,
        inventory: &Inventory,
    ) -> Self {
        let templates = templates.into_iter().map(|(name, plan)| {
            let claims = match plan {
                Some(plan) => remembered(name, previous, plan.claims.iter().cloned()),
                None => remembered(name, previous, kept(inventory.checks.get(name))),
            };
            (name.to_owned(), claims)
        });
        Self { templates: templates.filter(|(_, claims)| !claims.is_empty()).collect() }
    }

    /// Of a policy that is not placed any more, and whose objects stay.
    pub fn left_behind(previous: Option<&Self>, inventory: &Inventory) -> Self {
        Self::new(inventory.checks.keys().map(|name| (name.as_str(), None)), previous, inventory)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// By template.
    pub(super) fn templates(&self) -> impl Iterator<Item = (&str, &[Claim])> {
        self.templates.iter().map(|(name, claims)| (name.as_str(), claims.as_slice()))
    }

    fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.templates.values().flatten()
    }

    /// What must be looked at to know what templates without a plan protect.
    pub fn unseen(&self) -> BTreeSet<Reference> {
        let unseen = self.claims().filter(|claim| claim.is_unseen());
        unseen
            .map(|claim| Reference {
                gvk: claim.key.gvk.clone(),
                namespace: claim.key.namespace.clone(),
                name: Some(claim.key.name.clone()),
            })
            .collect()
    }

    /// With what was found of those.
    #[must_use]
    pub fn seeing(mut self, observed: &dyn Lookup) -> Self {
        for claim in self.templates.values_mut().flatten().filter(|claim| claim.is_unseen()) {
            let key = &claim.key;
            if let Answer::Found(found) = observed.get(&key.gvk, key.namespace.as_deref(), &key.name) {
                claim.observed = Some(found);
            }
        }
        self
    }

    /// Whether both ask for the same, whatever the cluster is like.
    pub fn same_wishes(&self, other: &Self) -> bool {
        let wishes = |claims: &Self| -> Vec<(String, Vec<(ObjectKey, Wish)>)> {
            claims
                .templates
                .iter()
                .map(|(name, claims)| {
                    let wishes = claims.iter().map(|claim| (claim.key.clone(), claim.wish.clone())).collect();
                    (name.clone(), wishes)
                })
                .collect()
        };
        wishes(self) == wishes(other)
    }

    /// Whether both claim something in one place, or back up the same namespaces.
    pub fn meet(&self, other: &Self) -> bool {
        let places: BTreeSet<Place<'_>> = self.claims().flat_map(Claim::places).collect();
        let shared = other.claims().flat_map(Claim::places).any(|place| match place {
            Place::Object(_) | Place::Only(..) => places.contains(&place),
            Place::Protection => false,
        });
        shared || self.protect_the_same(other)
    }

    fn protect_the_same(&self, other: &Self) -> bool {
        let scopes = |claims: &Self| -> Vec<Scope> { claims.claims().filter_map(Claim::scope).collect() };
        let theirs = scopes(other);
        scopes(self).iter().any(|ours| theirs.iter().any(|theirs| ours.shared_with(theirs).is_some()))
    }

    /// The template that wants an object there, or has it and cannot say.
    pub fn template_that_wants(&self, key: &ObjectKey) -> Option<&str> {
        let wants = |claim: &Claim| {
            matches!(claim.wish, Wish::Present { .. } | Wish::AsItIs)
                && claim.key.gvk.same_kind(&key.gvk.group, &key.gvk.kind)
                && (&claim.key.namespace, &claim.key.name) == (&key.namespace, &key.name)
        };
        self.templates().find(|(_, claims)| claims.iter().any(wants)).map(|(name, _)| name)
    }
}

/// What a check has on the cluster.
fn kept(inventory: Option<&CheckInventory>) -> impl Iterator<Item = Claim> {
    inventory
        .into_iter()
        .flat_map(|check| &check.objects)
        .filter(|entry| prune::is_wanted_still(entry))
        .map(|entry| Claim { key: entry.key(), wish: Wish::AsItIs, changes: false, observed: None })
}

/// Claims, and where it is not known how an object should be, how it was wanted before.
fn remembered(name: &str, previous: Option<&Claims>, claims: impl Iterator<Item = Claim>) -> Vec<Claim> {
    let known =
        previous.and_then(|previous| previous.templates.get(name)).map(Vec::as_slice).unwrap_or_default();
    claims
        .map(|claim| match claim.wish {
            Wish::AsItIs => {
                let before =
                    known.iter().find(|known| known.key == claim.key).map(|known| known.wish.clone());
                Claim { wish: before.unwrap_or(Wish::AsItIs), ..claim }
            }
            Wish::Present { .. } | Wish::Absent => claim,
        })
        .collect()
}
