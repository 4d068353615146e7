-- The outbox in the order in which a slot ships it. Since version 1.
CREATE INDEX outbox_slot ON outbox (slot, sequence)
