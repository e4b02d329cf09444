//! What an expression says of itself before it is run: what it calls and reads, and how its loops are nested.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, LiteralValue};

use super::{LabelKeys, VARIABLE, is_declared};

/// Functions that make lists of texts.
const LIST_MAKERS: [&str; 4] = ["split", "findAll", "getQuery", "parseJSON"];
/// What stands before a dot in the name of a function.
const NAMESPACES: [&str; 4] = ["format", "ip", "optional", "strings"];
/// Names of types, which stand in expressions like variables.
const TYPES: [&str; 11] =
    ["bool", "bytes", "double", "dyn", "int", "list", "map", "null_type", "string", "type", "uint"];

/// What an expression says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// A variable or function that there is not.
    pub(super) undeclared: Option<String>,
    /// Whether it asks for scores of add-ons.
    pub(super) uses_scores: bool,
    /// Whether it reads nothing but what people say of a cluster: metadata, spec and claims.
    pub(super) by_people: bool,
    /// Keys of labels and annotations that it names.
    pub(super) label_keys: LabelKeys,
    /// Loops inside each other.
    pub(super) loops: u32,
    /// Whether it makes lists from texts.
    pub(super) makes_lists: bool,
    /// Its size.
    pub(super) nodes: usize,
}

/// Looks at an expression.
pub(super) fn inspect(expression: &IdedExpr) -> Findings {
    let mut walk =
        Walk { findings: Findings { by_people: true, ..Findings::default() }, bound: Vec::new(), depth: 0 };
    walk.visit(expression);
    walk.findings
}

struct Walk {
    findings: Findings,
    /// Variables of the loops around.
    bound: Vec<String>,
    depth: u32,
}

impl Walk {
    fn visit(&mut self, expression: &IdedExpr) {
        self.findings.nodes += 1;
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => self.read(name, &[]),
            Expr::Select(select) => match path(expression) {
                Some((root, fields)) => self.read(root, &fields),
                None => self.visit(&select.operand),
            },
            Expr::Call(call) => {
                self.called(&call.func_name);
                if let Some((root, fields)) = path(expression) {
                    self.read(root, &fields);
                } else {
                    // `optional.of(x)` and `strings.quote(x)` are functions with a dot in their name.
                    let namespace = call.target.as_ref().and_then(|target| path(target));
                    let is_namespace = namespace.is_some_and(|(root, fields)| {
                        fields.is_empty() && is_declared(&format!("{root}.{}", call.func_name))
                    });
                    if !is_namespace {
                        call.target.iter().for_each(|target| self.visit(target));
                    }
                    call.args.iter().for_each(|argument| self.visit(argument));
                }
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.visit(element)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.visit_entry(&entry.expr)),
            Expr::Struct(object) => {
                self.findings.undeclared.get_or_insert_with(|| object.type_name.clone());
            }
            Expr::Comprehension(comprehension) => {
                self.visit(&comprehension.iter_range);
                self.visit(&comprehension.accu_init);
                let before = self.bound.len();
                self.bound.push(comprehension.iter_var.clone());
                self.bound.extend(comprehension.iter_var2.clone());
                self.bound.push(comprehension.accu_var.clone());
                self.depth += 1;
                self.findings.loops = self.findings.loops.max(self.depth);
                self.visit(&comprehension.loop_cond);
                self.visit(&comprehension.loop_step);
                self.depth -= 1;
                self.visit(&comprehension.result);
                self.bound.truncate(before);
            }
        }
    }

    fn visit_entry(&mut self, entry: &EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.visit(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.visit(&entry.key);
                self.visit(&entry.value);
            }
        }
    }

    /// A function is called.
    fn called(&mut self, name: &str) {
        self.findings.uses_scores |= name == "scores";
        self.findings.makes_lists |= LIST_MAKERS.contains(&name);
        let operator = name.starts_with(['_', '@', '!', '-']);
        let namespaced = NAMESPACES.iter().any(|space| is_declared(&format!("{space}.{name}")));
        if !operator && !namespaced && !is_declared(name) {
            self.findings.undeclared.get_or_insert_with(|| name.to_owned());
        }
    }

    /// A variable, and the fields of it, are read.
    fn read(&mut self, root: &str, fields: &[&str]) {
        if self.bound.iter().any(|bound| bound == root) || TYPES.contains(&root) {
            return;
        }
        if root != VARIABLE {
            self.findings.undeclared.get_or_insert_with(|| root.to_owned());
            return;
        }
        match fields {
            ["metadata", "labels" | "annotations", key, ..] => {
                self.findings.label_keys.extend([
                    "labels".to_owned(),
                    "annotations".to_owned(),
                    (*key).to_owned(),
                ]);
            }
            ["metadata" | "spec", ..] | ["status", "clusterClaims", ..] => {}
            _ => self.findings.by_people = false,
        }
    }
}

/// A variable and the names of the fields that are selected from it, one after the other, by dot or by literal key.
fn path(expression: &IdedExpr) -> Option<(&str, Vec<&str>)> {
    match &expression.expr {
        Expr::Ident(name) => Some((name, Vec::new())),
        Expr::Select(select) => {
            let (root, mut fields) = path(&select.operand)?;
            fields.push(&select.field);
            Some((root, fields))
        }
        Expr::Call(call) if matches!(call.func_name.as_str(), "_[_]" | "_[?_]" | "_?._") => {
            let [of, key] = call.args.as_slice() else { return None };
            let Expr::Literal(LiteralValue::String(key)) = &key.expr else { return None };
            let (root, mut fields) = path(of)?;
            fields.push(key.inner());
            Some((root, fields))
        }
        Expr::Unspecified
        | Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Struct(_) => None,
    }
}
