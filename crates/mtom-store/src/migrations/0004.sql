-- Schema version 4: a history has a name, and a gateway may follow that of another.

-- Which history this is: the last row. A restored backup begins a history of its own: up to `after_id` its
-- readings are those of the row before, what follows is not.
CREATE TABLE lineage (
    place INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    after_id INTEGER NOT NULL
) STRICT;

INSERT INTO lineage VALUES (1, lower(hex(randomblob(8))), 0);

-- How far the histories of other gateways have been taken over, as a controller does.
CREATE TABLE followed (
    history TEXT PRIMARY KEY,
    -- Every reading of it up to this number that was asked for is here.
    id INTEGER NOT NULL,
    at_micros INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
