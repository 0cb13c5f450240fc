-- The table of the original system (`wire.md` §1.6): local time of whoever asks, degrees Celsius.
-- Before MariaDB 11.5 the server's zones end in 2038; later times are shown in UTC.
CREATE SQL SECURITY INVOKER VIEW temp (time, temp) AS
SELECT
    CAST(COALESCE(
        FROM_UNIXTIME(reading.at_micros DIV 1000000),
        TIMESTAMPADD(SECOND, reading.at_micros DIV 1000000, TIMESTAMP '1970-01-01 00:00:00')
    ) AS DATETIME),
    CASE series.unit
        WHEN '°F' THEN (reading.value - 32.0) * 5.0 / 9.0
        WHEN 'K' THEN reading.value - 273.15
        ELSE reading.value
    END
FROM reading
JOIN series ON series.id = reading.series
WHERE series.is_temperature
