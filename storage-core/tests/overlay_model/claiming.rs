//! Claiming a unique value, as `overlay/claims.rs` does it.

use crate::rules::{Mistake, Rules};
use crate::world::{Document, Id, Token, Value, World};

/// Where a claimant stands; each variant is the next call of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Claiming {
    Read,
    Create,
    LookAtHolder {
        claim: Token,
        holder: Id,
    },
    PutPlaceholder {
        claim: Token,
        holder: Id,
    },
    Fence {
        claim: Token,
        holder: Id,
        document: Document,
    },
    Take {
        claim: Token,
    },
}

pub(crate) enum Claimed {
    GoOn(Claiming),
    Yes,
    Violation,
    /// Somebody came between: start over.
    Again,
}

impl Claiming {
    pub(crate) fn step(self, world: &mut World, rules: &Rules, value: Value, id: Id) -> Claimed {
        match self {
            Self::Read => match world.claims[value] {
                None => Claimed::GoOn(Self::Create),
                Some(claim) if claim.holder == id && rules.make(Mistake::KeepOwnClaim) => Claimed::Yes,
                Some(claim) if claim.holder == id => Claimed::GoOn(Self::Take { claim: claim.medium }),
                Some(claim) => Claimed::GoOn(Self::LookAtHolder {
                    claim: claim.medium,
                    holder: claim.holder,
                }),
            },
            Self::Create => won(world.swap_claim(value, None, id), Claimed::Yes),
            Self::LookAtHolder { claim, holder } => match world.documents[holder] {
                Some(document) if document.value == Some(value) => Claimed::Violation,
                _ if rules.make(Mistake::TakeOverWithoutFence) => Claimed::GoOn(Self::Take { claim }),
                None => Claimed::GoOn(Self::PutPlaceholder { claim, holder }),
                Some(document) => Claimed::GoOn(Self::Fence {
                    claim,
                    holder,
                    document,
                }),
            },
            Self::PutPlaceholder { claim, holder } => won(
                world.create_placeholder(holder).is_some(),
                Claimed::GoOn(Self::Take { claim }),
            ),
            Self::Fence {
                claim,
                holder,
                document,
            } => won(
                world.swap(holder, document.medium, document),
                Claimed::GoOn(Self::Take { claim }),
            ),
            Self::Take { claim } => won(world.swap_claim(value, Some(claim), id), Claimed::Yes),
        }
    }
}

fn won(won: bool, then: Claimed) -> Claimed {
    if won { then } else { Claimed::Again }
}
