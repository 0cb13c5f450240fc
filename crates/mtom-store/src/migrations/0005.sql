-- Schema version 5: a command is told before the sums know of its reading.

-- Up to which reading the sums have everything; what is behind it comes into them next.
ALTER TABLE total ADD COLUMN summed_reading_id INTEGER NOT NULL DEFAULT 0;

UPDATE total SET summed_reading_id = reading_id_last;
