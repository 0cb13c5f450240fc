-- Schema version 1. Times are UTC microseconds since 1970; the column names say so.
-- utf8mb4_nopad_bin: `A` and `a` are two names, and so are `a` and `a `.
-- Each statement can be repeated: DDL ends a transaction, so a start that is killed here is made up for by the next.
-- No foreign keys on `reading`: each check would cost a seek.

-- Who writes. `drained`: every reading of its journal up to this number was brought here.
CREATE TABLE IF NOT EXISTS gateway (
    id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(190) NOT NULL UNIQUE,
    drained BIGINT UNSIGNED NOT NULL DEFAULT 0,
    rejects_drained BIGINT UNSIGNED NOT NULL DEFAULT 0
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- What is measured where. Lengths: a topic and each part of it has at most 256 bytes.
CREATE TABLE IF NOT EXISTS series (
    id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    device VARCHAR(256) NOT NULL,
    quantity VARCHAR(256) NOT NULL,
    unit VARCHAR(8) NOT NULL,
    is_temperature BOOLEAN NOT NULL,
    UNIQUE (device, quantity, unit)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS topic (
    id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(256) NOT NULL UNIQUE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS boot (
    id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(256) NOT NULL UNIQUE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- Clustered in the order of arrival, so that a batch is appended. InnoDB adds what is missing of the primary
-- key to each index. `series` in the first one: `database:N` skips rows on the index alone.
CREATE TABLE IF NOT EXISTS reading (
    gateway SMALLINT UNSIGNED NOT NULL,
    number BIGINT UNSIGNED NOT NULL,
    series INT UNSIGNED NOT NULL,
    at_micros BIGINT NOT NULL,
    value DOUBLE NOT NULL,
    arrived_at_micros BIGINT NOT NULL,
    taken_at_micros BIGINT NULL,
    suspect BOOLEAN NOT NULL,
    topic INT UNSIGNED NOT NULL,
    boot INT UNSIGNED NULL,
    seq BIGINT UNSIGNED NULL,
    PRIMARY KEY (gateway, number),
    KEY reading_by_time (gateway, at_micros, number, series),
    KEY reading_by_series (gateway, series, at_micros)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS reject (
    gateway SMALLINT UNSIGNED NOT NULL,
    number BIGINT UNSIGNED NOT NULL,
    arrived_at_micros BIGINT NOT NULL,
    topic VARCHAR(256) NOT NULL,
    payload_head VARBINARY(256) NOT NULL,
    payload_len BIGINT UNSIGNED NOT NULL,
    code VARCHAR(64) NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (gateway, number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
