use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize,
            BorshDeserialize,
        )]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

id!(
    /// A market, by its position in the genesis list.
    MarketId(u32)
);
id!(
    /// A group of markets with one underlying, by its position in the genesis list. At most 2^14.
    GroupId(u16)
);
id!(
    /// An asset, by its position in the genesis list.
    AssetId(u16)
);
id!(
    /// An order, unique for ever: group (14 bits), generation (26 bits), slot (24 bits).
    OrderId(u64)
);

impl AssetId {
    /// Index into the genesis list of assets.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl GroupId {
    /// Groups that an order id can name.
    pub const MAX: u16 = (1 << 14) - 1;

    /// Index into the genesis list of groups.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl MarketId {
    /// Index into the genesis list of markets.
    pub fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl OrderId {
    /// Largest slot that an order id can name.
    pub const MAX_SLOT: u32 = (1 << 24) - 1;
    /// Largest generation; a slot that has reached it is never used again.
    pub const MAX_GENERATION: u32 = (1 << 26) - 1;

    /// Id of the order in `slot` of `group`; `None` when a part does not fit.
    pub fn new(group: GroupId, generation: u32, slot: u32) -> Option<Self> {
        let fits =
            group.0 <= GroupId::MAX && slot <= Self::MAX_SLOT && generation <= Self::MAX_GENERATION;
        fits.then(|| Self(u64::from(group.0) << 50 | u64::from(generation) << 24 | u64::from(slot)))
    }

    /// The group whose shard holds the order.
    pub fn group(self) -> GroupId {
        GroupId(u16::try_from(self.0 >> 50).unwrap_or(u16::MAX))
    }

    /// How many orders had the slot before.
    pub fn generation(self) -> u32 {
        u32::try_from(self.0 >> 24 & u64::from(Self::MAX_GENERATION)).unwrap_or(u32::MAX)
    }

    /// The slot of the order's record.
    pub fn slot(self) -> u32 {
        u32::try_from(self.0 & u64::from(Self::MAX_SLOT)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_id_round_trips_at_its_bounds() {
        for (g, gen_, slot) in [
            (0, 0, 0),
            (1, 2, 3),
            (GroupId::MAX, OrderId::MAX_GENERATION, OrderId::MAX_SLOT),
        ] {
            let id = OrderId::new(GroupId(g), gen_, slot).unwrap();
            assert_eq!((id.group().0, id.generation(), id.slot()), (g, gen_, slot));
        }
        assert_eq!(OrderId::new(GroupId(GroupId::MAX + 1), 0, 0), None);
        assert_eq!(
            OrderId::new(GroupId(0), OrderId::MAX_GENERATION + 1, 0),
            None
        );
        assert_eq!(OrderId::new(GroupId(0), 0, OrderId::MAX_SLOT + 1), None);
    }
}
