//! Renaming tokens, so that states that differ only in which fresh token was drawn first are one state.

use std::collections::BTreeSet;

use crate::claiming::Claiming;
use crate::world::{Document, Entry, Token, Value, World};

/// Looks at every token of a state and may replace it.
pub(crate) trait Rename {
    /// A medium version: nothing but equal or not.
    fn medium(&mut self, token: &mut Token);

    /// A nonce: lists order by it, so its place among others counts.
    fn nonce(&mut self, token: &mut Token);

    fn entry(&mut self, entry: &mut Entry) {
        self.nonce(&mut entry.nonce);
    }

    fn named(&mut self, named: &mut Option<(Value, Token)>) {
        if let Some((_, nonce)) = named {
            self.nonce(nonce);
        }
    }

    fn document(&mut self, document: &mut Document) {
        self.medium(&mut document.medium);
        self.named(&mut document.named);
    }

    fn base(&mut self, base: &mut Option<Document>) {
        if let Some(document) = base {
            self.document(document);
        }
    }

    fn claiming(&mut self, claiming: &mut Claiming) {
        match claiming {
            Claiming::Read | Claiming::Create => {}
            Claiming::LookAtHolder { claim, .. }
            | Claiming::PutPlaceholder { claim, .. }
            | Claiming::Take { claim } => {
                self.medium(claim);
            }
            Claiming::Fence { claim, document, .. } => {
                self.medium(claim);
                self.document(document);
            }
        }
    }

    fn world(&mut self, world: &mut World) {
        for document in &mut world.documents {
            self.base(document);
        }
        for claim in world.claims.iter_mut().flatten() {
            self.medium(&mut claim.medium);
        }
        for late in &mut world.late {
            if let Some(base) = &mut late.base {
                self.medium(base);
            }
            self.document(&mut late.next);
        }
        let entries = std::mem::take(&mut world.entries);
        world.entries = entries
            .into_iter()
            .map(|mut entry| {
                self.entry(&mut entry);
                entry
            })
            .collect();
    }
}

/// The nonces there are.
#[derive(Default)]
pub(crate) struct Nonces(BTreeSet<Token>);

impl Rename for Nonces {
    fn medium(&mut self, _token: &mut Token) {}

    fn nonce(&mut self, token: &mut Token) {
        self.0.insert(*token);
    }
}

/// Medium versions by first appearance, nonces by rank.
pub(crate) struct Canonical {
    nonces: Vec<Token>,
    mediums: Vec<Token>,
}

impl Canonical {
    pub(crate) fn new(nonces: Nonces) -> Self {
        Self {
            nonces: nonces.0.into_iter().collect(),
            mediums: Vec::new(),
        }
    }

    /// The greatest token in use.
    pub(crate) fn last(&self) -> Token {
        u8::try_from(self.nonces.len().max(self.mediums.len())).unwrap()
    }
}

impl Rename for Canonical {
    fn medium(&mut self, token: &mut Token) {
        *token = place(&mut self.mediums, *token);
    }

    fn nonce(&mut self, token: &mut Token) {
        *token = place(&mut self.nonces, *token);
    }
}

/// Where a token is in the list, from 1; it is added when it is new. 0 is no token.
fn place(tokens: &mut Vec<Token>, token: Token) -> Token {
    if token == 0 {
        return 0;
    }
    let at = tokens
        .iter()
        .position(|known| *known == token)
        .unwrap_or_else(|| {
            tokens.push(token);
            tokens.len() - 1
        });
    u8::try_from(at + 1).unwrap()
}
