-- +goose Up

-- Sums of spends by 10 minutes and by day (UTC), so that the evaluation of a window reads few
-- rows. Triggers keep them equal to spends.
CREATE TABLE spend_sums (
  subject     TEXT   NOT NULL,
  rule        TEXT   NOT NULL,
  minutes     BIGINT NOT NULL CHECK (minutes IN (10, 1440)), -- the length of the span
  start       BIGINT NOT NULL, -- of the span
  counted_sat BIGINT NOT NULL,
  counts      BIGINT NOT NULL,
  PRIMARY KEY (subject, minutes, start, rule)
);

INSERT INTO spend_sums (subject, rule, minutes, start, counted_sat, counts)
SELECT x.subject, x.rule, span.minutes, x.at - x.at % (span.minutes * 60000000), sum(x.counted_sat), sum(x.counts)
FROM spends AS x, (SELECT 10::BIGINT AS minutes UNION ALL SELECT 1440) AS span
GROUP BY 1, 2, 3, 4;

-- +goose StatementBegin
CREATE FUNCTION add_to_spend_sums() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    UPDATE spend_sums SET counted_sat = counted_sat - OLD.counted_sat, counts = counts - OLD.counts
    WHERE subject = OLD.subject AND rule = OLD.rule
      AND (minutes = 10 AND start = OLD.at - OLD.at % 600000000 OR minutes = 1440 AND start = OLD.at - OLD.at % 86400000000);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO spend_sums AS s (subject, rule, minutes, start, counted_sat, counts)
    SELECT NEW.subject, NEW.rule, span.minutes, NEW.at - NEW.at % (span.minutes * 60000000), NEW.counted_sat, NEW.counts
    FROM (SELECT 10::BIGINT AS minutes UNION ALL SELECT 1440) AS span
    ON CONFLICT (subject, minutes, start, rule) DO UPDATE SET counted_sat = s.counted_sat + EXCLUDED.counted_sat, counts = s.counts + EXCLUDED.counts;
  END IF;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER spends_change_sums AFTER INSERT OR UPDATE OR DELETE ON spends FOR EACH ROW EXECUTE FUNCTION add_to_spend_sums();

-- Windows are summed for all rules of a subject at once.
DROP INDEX spends_by_rule;
CREATE INDEX spends_by_time ON spends (subject, at, rule, counted_sat, counts);

-- +goose Down
DROP INDEX spends_by_time;
CREATE INDEX spends_by_rule ON spends (subject, rule, at, counted_sat, counts);
DROP TRIGGER spends_change_sums ON spends;
DROP FUNCTION add_to_spend_sums();
DROP TABLE spend_sums;
