//! One source file, rewritten so that each of its mutants waits behind a switch.
//!
//! `a < b` becomes `(match crate::mutant::at(17, 3) { 1 => a == b, 2 => a > b, 3 => a <= b, _ => a < b })`, where
//! 17 to 19 are the mutants' numbers. The arms of mutants are the file's own text with the mutant's text put in,
//! as cargo-mutants would write it; mutants of what is within wait in the last arm only. That is why a whole
//! chain of operators has one switch: `a - b * c` with `+` for `*` is `a - b + c`.

use std::{collections::BTreeMap, ops::Range};

use syn::{
    BinOp, Expr, UnOp,
    spanned::Spanned,
    visit::{self, Visit},
};

/// Why a mutant has no switch, where that is certain before it is tried.
pub const DOES_NOT_COMPILE: &str = "does not compile";

/// A mutant that cargo-mutants lists.
#[derive(Clone, Debug)]
pub struct Mutant {
    pub name: String,
    pub file: String,
    pub genre: String,
    /// Bytes of the file that it replaces, and with what.
    pub replaces: Range<usize>,
    pub replacement: String,
}

/// Where something of a mutant stands in the rewritten file.
pub struct Place {
    pub bytes: Range<usize>,
    pub mutant: u32,
    /// The first mutant of its switch.
    pub first: u32,
}

pub struct Rewritten {
    pub text: String,
    /// The arm of each mutant.
    pub arms: Vec<Place>,
    /// The whole expression or body that a mutant's switch stands in.
    pub switches: Vec<Place>,
    /// Mutants that no switch can stand for, and why.
    pub without_switch: Vec<(u32, &'static str)>,
}

#[derive(Debug)]
enum Edit {
    /// A switch in the place of an expression.
    Switch(Vec<u32>),
    /// `return` at the beginning of a body.
    Body(Vec<u32>),
    /// A guard that a match arm has not.
    Guard(u32),
    /// `const` of a function, which cannot read a switch.
    Const,
}

/// Rewrites `text`. `mutants` are its own, by number, those that do not compile included: these get no arm.
/// Functions named in `stay_const` remain `const`, and their mutants have no switch.
pub fn rewrite(
    text: &str,
    mutants: &BTreeMap<u32, Mutant>,
    left_out: &dyn Fn(u32) -> bool,
    stay_const: &[String],
) -> Rewritten {
    let file = syn::parse_file(text).expect("the file compiles");
    let mut places =
        Places { mutants, stay_const, edits: Vec::new(), constant: 0, found: BTreeMap::new() };
    places.visit_file(&file);
    let Places { mut edits, found, .. } = places;
    edits.sort_by_key(|(bytes, _)| (bytes.start, std::cmp::Reverse(bytes.end)));
    let without_switch = mutants
        .keys()
        .filter_map(|number| match found.get(number) {
            Some(None) => None,
            Some(Some(why)) => Some((*number, *why)),
            None => Some((*number, "not found")),
        })
        .collect();
    let mut writer = Writer {
        text,
        mutants,
        left_out,
        out: String::new(),
        arms: Vec::new(),
        switches: Vec::new(),
    };
    writer.emit(0..text.len(), &edits);
    let Writer { out, arms, switches, .. } = writer;
    Rewritten { text: out, arms, switches, without_switch }
}

/// Finds where the switches go.
struct Places<'a> {
    mutants: &'a BTreeMap<u32, Mutant>,
    stay_const: &'a [String],
    edits: Vec<(Range<usize>, Edit)>,
    /// How many constant expressions enclose what is looked at.
    constant: u32,
    /// What was seen of each mutant: a switch, or why there is none.
    found: BTreeMap<u32, Option<&'static str>>,
}

impl Places<'_> {
    fn mutants_at(&self, bytes: &Range<usize>, genre: &str) -> Vec<u32> {
        let is_it = |mutant: &Mutant| mutant.replaces == *bytes && mutant.genre == genre;
        self.mutants.iter().filter(|(_, mutant)| is_it(mutant)).map(|(&number, _)| number).collect()
    }

    fn switch(
        &mut self,
        bytes: Range<usize>,
        edit: impl FnOnce(Vec<u32>) -> Edit,
        numbers: Vec<u32>,
    ) {
        let why_not = (self.constant > 0).then_some("constant");
        self.found.extend(numbers.iter().map(|&number| (number, why_not)));
        if why_not.is_none() && !numbers.is_empty() {
            self.edits.push((bytes, edit(numbers)));
        }
    }

    fn constant(&mut self, visit: impl FnOnce(&mut Self)) {
        self.constant += 1;
        visit(self);
        self.constant -= 1;
    }

    fn function(
        &mut self,
        signature: &syn::Signature,
        block: &syn::Block,
        visit: impl FnOnce(&mut Self),
    ) {
        let name = signature.ident.to_string();
        if let Some(word) = signature.constness {
            if self.stay_const.contains(&name) {
                self.constant(|places| places.body(block));
                return self.constant(visit);
            }
            self.edits.push((word.span.byte_range(), Edit::Const));
        }
        self.body(block);
        visit(self);
    }

    fn body(&mut self, block: &syn::Block) {
        let (Some(first), Some(last)) = (block.stmts.first(), block.stmts.last()) else { return };
        let bytes = first.span().byte_range().start..last.span().byte_range().end;
        let numbers = self.mutants_at(&bytes, "FnValue");
        let braces = &block.brace_token.span;
        let within = braces.open().byte_range().end..braces.close().byte_range().start;
        self.switch(within, Edit::Body, numbers);
    }

    /// Gathers the mutants of a chain of operators, and looks into what the operators stand between.
    fn chain(&mut self, expr: &Expr, numbers: &mut Vec<u32>) {
        match expr {
            Expr::Binary(binary) => {
                numbers.extend(self.mutants_at(&binary.op.span().byte_range(), "BinaryOperator"));
                self.chain(&binary.left, numbers);
                self.chain(&binary.right, numbers);
            }
            Expr::Unary(unary) => {
                numbers.extend(self.mutants_at(&unary.op.span().byte_range(), "UnaryOperator"));
                self.chain(&unary.expr, numbers);
            }
            Expr::Cast(cast) => {
                self.chain(&cast.expr, numbers);
                self.visit_type(&cast.ty);
            }
            Expr::Reference(reference) => self.chain(&reference.expr, numbers),
            other => self.visit_expr(other),
        }
    }

    /// `a && let …` is no expression that could stand in an arm: each of its parts is a chain of its own.
    fn conditions(&mut self, expr: &Expr) {
        match expr {
            Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) && has_let(expr) => {
                for number in self.mutants_at(&binary.op.span().byte_range(), "BinaryOperator") {
                    self.found.insert(number, Some(DOES_NOT_COMPILE));
                }
                self.conditions(&binary.left);
                self.conditions(&binary.right);
            }
            other => self.visit_expr(other),
        }
    }
}

fn has_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => {
            attribute.path().is_ident("cfg") && list.tokens.to_string() == "test"
        }
        other => other.path().is_ident("test"),
    })
}

/// What is evaluated when the program is built, and so cannot read a switch.
macro_rules! constants {
    ($($visit:ident: $node:ident,)+) => {
        $(fn $visit(&mut self, node: &'ast syn::$node) {
            self.constant(|places| visit::$visit(places, node));
        })+
    };
}

impl<'ast> Visit<'ast> for Places<'_> {
    fn visit_expr(&mut self, expr: &'ast Expr) {
        match expr {
            Expr::Binary(_) if has_let(expr) => self.conditions(expr),
            Expr::Unary(unary) if matches!(unary.op, UnOp::Deref(_)) => {
                visit::visit_expr(self, expr);
            }
            Expr::Binary(_) | Expr::Unary(_) | Expr::Cast(_) => {
                let mut numbers = Vec::new();
                self.chain(expr, &mut numbers);
                numbers.sort_unstable();
                self.switch(expr.span().byte_range(), Edit::Switch, numbers);
            }
            Expr::Const(_) => self.constant(|places| visit::visit_expr(places, expr)),
            Expr::Repeat(repeat) => {
                self.visit_expr(&repeat.expr);
                self.constant(|places| places.visit_expr(&repeat.len));
            }
            other => visit::visit_expr(self, other),
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if let Some((_, guard)) = &arm.guard {
            let bytes = guard.span().byte_range();
            let numbers = self.mutants_at(&bytes, "MatchArmGuard");
            self.switch(bytes, Edit::Switch, numbers);
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr_match(&mut self, expr: &'ast syn::ExprMatch) {
        let is_catchall =
            |arm: &syn::Arm| matches!(arm.pat, syn::Pat::Wild(_)) && arm.guard.is_none();
        let has_catchall = expr.arms.iter().any(is_catchall);
        for arm in &expr.arms {
            let numbers = self.mutants_at(&arm.span().byte_range(), "MatchArm");
            let end = arm.pat.span().byte_range().end;
            if has_catchall && !numbers.is_empty() {
                self.switch(end..end, |numbers| Edit::Guard(numbers[0]), numbers);
            } else {
                self.found
                    .extend(numbers.iter().map(|&number| (number, Some("a guarded catch-all"))));
            }
        }
        visit::visit_expr_match(self, expr);
    }

    fn visit_expr_struct(&mut self, expr: &'ast syn::ExprStruct) {
        if expr.rest.is_some() {
            let mut numbers = Vec::new();
            for pair in expr.fields.pairs() {
                let start = pair.value().span().byte_range().start;
                let end = pair.punct().map_or(pair.value().span().byte_range().end, |comma| {
                    comma.span.byte_range().end
                });
                numbers.extend(self.mutants_at(&(start..end), "StructField"));
            }
            self.switch(expr.span().byte_range(), Edit::Switch, numbers);
        }
        visit::visit_expr_struct(self, expr);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block, |places| visit::visit_item_fn(places, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block, |places| visit::visit_impl_item_fn(places, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block, |places| visit::visit_trait_item_fn(places, item));
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    constants! {
        visit_item_const: ItemConst,
        visit_impl_item_const: ImplItemConst,
        visit_trait_item_const: TraitItemConst,
        visit_item_static: ItemStatic,
        visit_item_enum: ItemEnum,
        visit_type: Type,
        visit_pat: Pat,
        visit_generic_argument: GenericArgument,
    }
}

struct Writer<'a> {
    text: &'a str,
    mutants: &'a BTreeMap<u32, Mutant>,
    left_out: &'a dyn Fn(u32) -> bool,
    out: String,
    arms: Vec<Place>,
    switches: Vec<Place>,
}

impl Writer<'_> {
    /// Writes `bytes` of the file with the edits in them, which are sorted: an outer one before those within.
    fn emit(&mut self, bytes: Range<usize>, edits: &[(Range<usize>, Edit)]) {
        let mut at = bytes.start;
        let mut rest = edits;
        while let Some(((place, edit), behind)) = rest.split_first() {
            self.out.push_str(&self.text[at..place.start]);
            let within = behind.iter().take_while(|(inner, _)| inner.start < place.end).count();
            let begun = self.out.len();
            let numbers: &[u32] = match edit {
                Edit::Switch(numbers) | Edit::Body(numbers) if self.are_out(numbers) => {
                    self.emit(place.clone(), &behind[..within]);
                    &[]
                }
                Edit::Switch(numbers) => {
                    self.out.push('(');
                    self.arms(numbers, |mutant| {
                        let put =
                            mutant.replaces.start - place.start..mutant.replaces.end - place.start;
                        let mut text = self.text[place.clone()].to_owned();
                        text.replace_range(put, &mutant.replacement);
                        text
                    });
                    self.out.push_str("_ => ");
                    self.emit(place.clone(), &behind[..within]);
                    self.out.push_str(" })");
                    numbers
                }
                Edit::Body(numbers) => {
                    self.arms(numbers, |mutant| format!("return {}", mutant.replacement));
                    self.out.push_str("_ => (), }");
                    self.emit(place.clone(), &behind[..within]);
                    numbers
                }
                Edit::Guard(number) if (self.left_out)(*number) => &[],
                Edit::Guard(number) => {
                    self.out.push_str(&format!(" if crate::mutant::at({number}, 1) == 0"));
                    std::slice::from_ref(number)
                }
                Edit::Const => &[],
            };
            for &mutant in numbers {
                self.switches.push(Place {
                    bytes: begun..self.out.len(),
                    mutant,
                    first: numbers[0],
                });
            }
            at = place.end;
            rest = &behind[within..];
        }
        self.out.push_str(&self.text[at..bytes.end]);
    }

    fn are_out(&self, numbers: &[u32]) -> bool {
        numbers.iter().all(|&number| (self.left_out)(number))
    }

    fn arms(&mut self, numbers: &[u32], text: impl Fn(&Mutant) -> String) {
        let first = numbers[0];
        let count = numbers[numbers.len() - 1] - first + 1;
        self.out.push_str(&format!(" match crate::mutant::at({first}, {count}) {{ "));
        for &mutant in numbers.iter().filter(|&&number| !(self.left_out)(number)) {
            self.out.push_str(&format!("{} => ", mutant - first + 1));
            let start = self.out.len();
            self.out.push_str(&text(&self.mutants[&mutant]));
            self.arms.push(Place { bytes: start..self.out.len(), mutant, first });
            self.out.push_str(", ");
        }
    }
}
