-- The warehouse's tables, the view observation and the macro as_of. Runs on DuckDB 1.5 and 2.x.
-- Instants are UTC. No name is qualified with the catalog: the file is opened under other names.

-- Codelists: the CSV files of src/lightwell/codelists, and the areas of ISO 3166-1. An empty cell is null.

CREATE TABLE organisation (
    organisation VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    country VARCHAR,
    note VARCHAR
);
COMMENT ON TABLE organisation IS 'One row an organisation: who counts, or whom a count is about.';
COMMENT ON COLUMN organisation.organisation IS 'Code of the organisation; _T all, esp all service providers together.';
COMMENT ON COLUMN organisation.name IS 'Name of the organisation, as we write it.';
COMMENT ON COLUMN organisation.kind IS 'brand, company, clearinghouse, hotline, government, aggregate ...';
COMMENT ON COLUMN organisation.country IS 'Seat of the organisation: code in area; null where not recorded.';
COMMENT ON COLUMN organisation.note IS 'What a reader must know about it.';

CREATE TABLE organisation_name (
    name VARCHAR NOT NULL,
    organisation VARCHAR,
    source_id VARCHAR,
    valid_from DATE,
    valid_to DATE,
    combined BOOLEAN,
    variant VARCHAR
);
COMMENT ON TABLE organisation_name IS 'One row a name as publishers print it; the name * says what an asterisk means.';
COMMENT ON COLUMN organisation_name.name IS 'The name as printed.';
COMMENT ON COLUMN organisation_name.organisation IS 'Code of the organisation it stands for.';
COMMENT ON COLUMN organisation_name.source_id IS 'The source that prints it so; null any.';
COMMENT ON COLUMN organisation_name.valid_from IS 'First day on which it means that; null open.';
COMMENT ON COLUMN organisation_name.valid_to IS 'Last day on which it means that; null open.';
COMMENT ON COLUMN organisation_name.combined IS 'True where the count takes in affiliated companies.';
COMMENT ON COLUMN organisation_name.variant IS 'Word that tells this series of the organisation from its others.';

CREATE TABLE organisation_parent (
    organisation VARCHAR NOT NULL,
    parent VARCHAR NOT NULL,
    valid_from DATE,
    valid_to DATE,
    source VARCHAR
);
COMMENT ON TABLE organisation_parent IS 'One row a time in which an organisation belonged to another.';
COMMENT ON COLUMN organisation_parent.organisation IS 'Code of the organisation.';
COMMENT ON COLUMN organisation_parent.parent IS 'Code of the organisation it belonged to.';
COMMENT ON COLUMN organisation_parent.valid_from IS 'First day; null open.';
COMMENT ON COLUMN organisation_parent.valid_to IS 'Last day; null open.';
COMMENT ON COLUMN organisation_parent.source IS 'Where this is said.';

CREATE TABLE area (
    ref_area VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL,
    alpha_2 VARCHAR,
    kind VARCHAR NOT NULL
);
COMMENT ON TABLE area IS 'One row a country or territory of ISO 3166-1, or one of the few codes beside it.';
COMMENT ON COLUMN area.ref_area IS 'ISO 3166-1 alpha-3; ANT, XKX, EUE, EUROPE; _T all, _U unknown, _Z not applicable.';
COMMENT ON COLUMN area.name IS 'Name of the area, after ISO 3166-1.';
COMMENT ON COLUMN area.alpha_2 IS 'ISO 3166-1 alpha-2 code, where there is one.';
COMMENT ON COLUMN area.kind IS 'country, former, region (never added to a country) or special.';

CREATE TABLE area_name (
    name VARCHAR NOT NULL,
    ref_area VARCHAR NOT NULL,
    source_id VARCHAR,
    variant VARCHAR,
    note VARCHAR
);
COMMENT ON TABLE area_name IS 'One row a name as publishers print it that ISO 3166 does not know.';
COMMENT ON COLUMN area_name.name IS 'The name as printed.';
COMMENT ON COLUMN area_name.ref_area IS 'Code of the area it stands for.';
COMMENT ON COLUMN area_name.source_id IS 'The source that prints it so; null any.';
COMMENT ON COLUMN area_name.variant IS 'Word that tells this series of the area from its others.';
COMMENT ON COLUMN area_name.note IS 'Why it stands for that.';

CREATE TABLE unit (
    unit_measure VARCHAR PRIMARY KEY,
    title VARCHAR NOT NULL,
    note VARCHAR
);
COMMENT ON TABLE unit IS 'One row a unit of measure.';
COMMENT ON COLUMN unit.unit_measure IS 'Code of the unit.';
COMMENT ON COLUMN unit.title IS 'The unit in words.';
COMMENT ON COLUMN unit.note IS 'What one of it is.';

CREATE TABLE metric (
    metric VARCHAR PRIMARY KEY,
    title VARCHAR NOT NULL,
    unit_measure VARCHAR NOT NULL,
    measure VARCHAR NOT NULL,
    additive BOOLEAN NOT NULL,
    definition VARCHAR NOT NULL
);
COMMENT ON TABLE metric IS 'One row a quantity that is counted. Different quantities never share a metric.';
COMMENT ON COLUMN metric.metric IS 'Code of the metric.';
COMMENT ON COLUMN metric.title IS 'The metric in words.';
COMMENT ON COLUMN metric.unit_measure IS 'Its unit: code in unit.';
COMMENT ON COLUMN metric.measure
IS 'flow (in the period), stock (at its end), cumulative, share, or rank (ordinal: never averaged).';
COMMENT ON COLUMN metric.additive IS 'Whether its parts may be added over what it is broken down by.';
COMMENT ON COLUMN metric.definition IS 'What one of it is, and what is not counted.';

CREATE TABLE harm (
    harm VARCHAR PRIMARY KEY,
    title VARCHAR NOT NULL,
    parent VARCHAR,
    luxembourg_term VARCHAR,
    definition VARCHAR
);
COMMENT ON TABLE harm IS 'One row a kind of harm, after the Luxembourg Guidelines.';
COMMENT ON COLUMN harm.harm IS 'Code of the kind of harm; _T all kinds.';
COMMENT ON COLUMN harm.title IS 'The kind of harm in words.';
COMMENT ON COLUMN harm.parent IS 'The wider kind it belongs to.';
COMMENT ON COLUMN harm.luxembourg_term IS 'Term of the Luxembourg Guidelines, where there is one.';
COMMENT ON COLUMN harm.definition IS 'What it takes in.';

CREATE TABLE harm_label (
    source_id VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    harm VARCHAR NOT NULL,
    valid_from DATE,
    valid_to DATE,
    note VARCHAR
);
COMMENT ON TABLE harm_label IS 'One row a name that a source prints for a kind of harm.';
COMMENT ON COLUMN harm_label.source_id IS 'The source that prints it.';
COMMENT ON COLUMN harm_label.label IS 'The name as printed.';
COMMENT ON COLUMN harm_label.harm IS 'Code of the kind of harm it stands for.';
COMMENT ON COLUMN harm_label.valid_from IS 'First day on which it means that; null open.';
COMMENT ON COLUMN harm_label.valid_to IS 'Last day on which it means that; null open.';
COMMENT ON COLUMN harm_label.note IS 'Why it stands for that.';

CREATE TABLE series_break (
    break_id VARCHAR PRIMARY KEY,
    source_id VARCHAR,
    metric VARCHAR,
    subject VARCHAR,
    ref_area VARCHAR,
    time_period VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    description VARCHAR NOT NULL,
    bridge_metric VARCHAR,
    citation VARCHAR
);
COMMENT ON TABLE series_break
IS 'One row a change of definition: values before and after must not be compared. Null in a code means all.';
COMMENT ON COLUMN series_break.break_id IS 'Name of the break.';
COMMENT ON COLUMN series_break.source_id IS 'The source it concerns; null all.';
COMMENT ON COLUMN series_break.metric IS 'The metric it concerns; null all.';
COMMENT ON COLUMN series_break.subject IS 'The organisation it concerns; null all.';
COMMENT ON COLUMN series_break.ref_area IS 'The area it concerns; null all.';
COMMENT ON COLUMN series_break.time_period IS 'First period of the new definition.';
COMMENT ON COLUMN series_break.title IS 'The break in a few words.';
COMMENT ON COLUMN series_break.description IS 'What changed and how it moves the numbers.';
COMMENT ON COLUMN series_break.bridge_metric
IS 'Metric by which the publisher goes on counting as before the break; null where none bridges it.';
COMMENT ON COLUMN series_break.citation IS 'Where this is said.';

CREATE TABLE event (
    event_id VARCHAR PRIMARY KEY,
    event_date DATE NOT NULL,
    title VARCHAR NOT NULL,
    source_id VARCHAR,
    metric VARCHAR,
    subject VARCHAR,
    ref_area VARCHAR,
    description VARCHAR,
    citation VARCHAR
);
COMMENT ON TABLE event IS 'One row something that happened and that can move the numbers. Null in a code means all.';
COMMENT ON COLUMN event.event_id IS 'Name of the event.';
COMMENT ON COLUMN event.event_date IS 'Day it happened or came into force.';
COMMENT ON COLUMN event.title IS 'The event in a few words.';
COMMENT ON COLUMN event.source_id IS 'The source whose numbers it can move; null all.';
COMMENT ON COLUMN event.metric IS 'The metric it can move; null all.';
COMMENT ON COLUMN event.subject IS 'The organisation it concerns; null all.';
COMMENT ON COLUMN event.ref_area IS 'Where: code in area; null everywhere.';
COMMENT ON COLUMN event.description IS 'What happened and how it can move the numbers.';
COMMENT ON COLUMN event.citation IS 'Where this is said.';

CREATE TABLE country_role (
    ref_area VARCHAR NOT NULL,
    role VARCHAR NOT NULL CHECK (role IN ('supply', 'demand')),
    said_by VARCHAR NOT NULL,
    citation VARCHAR NOT NULL
);
COMMENT ON TABLE country_role
IS 'One row an area said to be on a side of the trade in livestreamed abuse, and by whom. It can be on both.';
COMMENT ON COLUMN country_role.ref_area IS 'Code of the area.';
COMMENT ON COLUMN country_role.role IS 'supply (where children are abused) or demand (where offenders pay).';
COMMENT ON COLUMN country_role.said_by IS 'Who says so.';
COMMENT ON COLUMN country_role.citation IS 'Where this is said.';

CREATE TABLE quoted_document (
    quoted_document VARCHAR PRIMARY KEY,
    file_name VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    publisher VARCHAR NOT NULL,
    published VARCHAR,
    url VARCHAR,
    document_id VARCHAR NOT NULL CHECK (regexp_full_match(document_id, '[0-9a-f]{64}'))
);
COMMENT ON TABLE quoted_document
IS 'One row a public text whose figures are checked. Its words are the publisher''s and are not kept.';
COMMENT ON COLUMN quoted_document.quoted_document IS 'Name of the text.';
COMMENT ON COLUMN quoted_document.file_name IS 'Name of the file that holds the text.';
COMMENT ON COLUMN quoted_document.title IS 'Its title, or what it is where the text has none.';
COMMENT ON COLUMN quoted_document.publisher IS 'Who published it.';
COMMENT ON COLUMN quoted_document.published IS 'Day or year of publication; null where nobody says.';
COMMENT ON COLUMN quoted_document.url IS 'Where it was published; null where not known.';
COMMENT ON COLUMN quoted_document.document_id IS 'SHA-256 of the whole text in UTF-8, in hex.';

CREATE TABLE quoted_figure (
    quoted_id VARCHAR NOT NULL,
    part INTEGER NOT NULL,
    quoted_document VARCHAR NOT NULL,
    char_start INTEGER NOT NULL CHECK (char_start >= 0),
    char_end INTEGER NOT NULL,
    text_sha256 VARCHAR NOT NULL CHECK (regexp_full_match(text_sha256, '[0-9a-f]{64}')),
    what VARCHAR NOT NULL,
    quoted_value DOUBLE CHECK (isfinite(quoted_value) AND quoted_value >= 0),
    value_low DOUBLE CHECK (isfinite(value_low)),
    value_high DOUBLE CHECK (isfinite(value_high)),
    comparator VARCHAR CHECK (comparator IN ('=', '>', '<', '~', '>=', '<=')),
    unit_measure VARCHAR,
    rate_per VARCHAR,
    time_period VARCHAR,
    ref_area VARCHAR,
    named_areas VARCHAR,
    quoted_term VARCHAR,
    metric VARCHAR,
    harm VARCHAR,
    redundant_with VARCHAR,
    note VARCHAR,
    PRIMARY KEY (quoted_id, part),
    CHECK (char_start < char_end),
    CHECK (value_low < value_high)
);
COMMENT ON TABLE quoted_figure
IS 'One row a value that a sentence of a quoted document says, as said: never corrected, never an observation.';
COMMENT ON COLUMN quoted_figure.quoted_id IS 'The sentence: A1 to A7, B1 to B26.';
COMMENT ON COLUMN quoted_figure.part IS 'The value in the sentence, counted from 1.';
COMMENT ON COLUMN quoted_figure.quoted_document IS 'The text it stands in: code in quoted_document.';
COMMENT ON COLUMN quoted_figure.char_start IS 'First character of the sentence, counted from 0.';
COMMENT ON COLUMN quoted_figure.char_end IS 'The character after its last.';
COMMENT ON COLUMN quoted_figure.text_sha256 IS 'SHA-256 of those characters in UTF-8, in hex.';
COMMENT ON COLUMN quoted_figure.what IS 'What is counted, in our own words.';
COMMENT ON COLUMN quoted_figure.quoted_value IS 'The number as said; null where a range, a word or none is said.';
COMMENT ON COLUMN quoted_figure.value_low IS 'Lower end, where a range is said.';
COMMENT ON COLUMN quoted_figure.value_high IS 'Upper end, where a range is said.';
COMMENT ON COLUMN quoted_figure.comparator IS 'How the number is said: = exactly, > over, ~ about, <= up to.';
COMMENT ON COLUMN quoted_figure.unit_measure IS 'Its unit: code in unit.';
COMMENT ON COLUMN quoted_figure.rate_per IS 'What it is for one of: week, year, livestream; null where it is no rate.';
COMMENT ON COLUMN quoted_figure.time_period IS 'The period, where the sentence states it; it is never inferred.';
COMMENT ON COLUMN quoted_figure.ref_area IS 'Area it is about: code in area; null where none is named.';
COMMENT ON COLUMN quoted_figure.named_areas IS 'Areas the sentence names, by code, parted by spaces.';
COMMENT ON COLUMN quoted_figure.quoted_term IS 'What is said where it is no quantity: a direction, a law.';
COMMENT ON COLUMN quoted_figure.metric IS 'The metric of the same quantity, where the warehouse has one.';
COMMENT ON COLUMN quoted_figure.harm IS 'Kind of harm: code in harm; null where none is named.';
COMMENT ON COLUMN quoted_figure.redundant_with IS 'The quoted_id that says the same.';
COMMENT ON COLUMN quoted_figure.note IS 'What a reader of this value must know.';

CREATE TABLE quoted_conflict (
    conflict_id VARCHAR PRIMARY KEY,
    title VARCHAR NOT NULL,
    quoted_ids VARCHAR,
    verdict VARCHAR NOT NULL CHECK (verdict IN (
        'arithmetic_fails', 'contradicts', 'lower_bound', 'other_universe', 'within_rounding', 'wrong_reference'
    )),
    read_comparator VARCHAR,
    handling VARCHAR NOT NULL,
    citation VARCHAR NOT NULL
);
COMMENT ON TABLE quoted_conflict
IS 'One row a quoted figure that something else contradicts or qualifies. Both are kept; see conflict_register.';
COMMENT ON COLUMN quoted_conflict.conflict_id IS 'Name of the conflict: C1 to C8.';
COMMENT ON COLUMN quoted_conflict.title IS 'What it is about.';
COMMENT ON COLUMN quoted_conflict.quoted_ids IS 'The sentences it concerns, parted by spaces; null where none says it.';
COMMENT ON COLUMN quoted_conflict.verdict
IS 'contradicts, arithmetic_fails (it contradicts itself), within_rounding (it agrees), lower_bound (it is one),
other_universe (another thing is counted) or wrong_reference.';
COMMENT ON COLUMN quoted_conflict.read_comparator
IS 'How the number is to be read, where not as quoted; the quote keeps its own.';
COMMENT ON COLUMN quoted_conflict.handling IS 'What is done about it.';
COMMENT ON COLUMN quoted_conflict.citation IS 'Who says otherwise, and where.';

CREATE TABLE quoted_conflict_value (
    conflict_id VARCHAR NOT NULL,
    value_key VARCHAR NOT NULL,
    said_by VARCHAR NOT NULL,
    what VARCHAR NOT NULL,
    quoted_id VARCHAR,
    part INTEGER,
    amount DOUBLE CHECK (isfinite(amount)),
    value_low DOUBLE CHECK (isfinite(value_low)),
    value_high DOUBLE CHECK (isfinite(value_high)),
    comparator VARCHAR,
    unit_measure VARCHAR,
    rate_per VARCHAR,
    term VARCHAR,
    time_period VARCHAR,
    source_id VARCHAR,
    reporter VARCHAR,
    metric VARCHAR,
    subject VARCHAR,
    ref_area VARCHAR,
    harm VARCHAR,
    dimension VARCHAR,
    evidence VARCHAR NOT NULL,
    citation VARCHAR,
    PRIMARY KEY (conflict_id, value_key)
);
COMMENT ON TABLE quoted_conflict_value
IS 'One row a value of a conflict, as the register has it; conflict_amount takes an observation in its place where the
release holds it.';
COMMENT ON COLUMN quoted_conflict_value.conflict_id IS 'The conflict: code in quoted_conflict.';
COMMENT ON COLUMN quoted_conflict_value.value_key IS 'Name of the value in its conflict.';
COMMENT ON COLUMN quoted_conflict_value.said_by IS 'Who says it.';
COMMENT ON COLUMN quoted_conflict_value.what IS 'What is counted.';
COMMENT ON COLUMN quoted_conflict_value.quoted_id IS 'The quoted figure that it is, where it is one.';
COMMENT ON COLUMN quoted_conflict_value.part IS 'Which value of that sentence.';
COMMENT ON COLUMN quoted_conflict_value.amount IS 'The value in the register; null for a quote, a range, a term.';
COMMENT ON COLUMN quoted_conflict_value.value_low IS 'Lower end, where a range is said.';
COMMENT ON COLUMN quoted_conflict_value.value_high IS 'Upper end, where a range is said.';
COMMENT ON COLUMN quoted_conflict_value.comparator IS 'How the value is meant: = exactly, >= at least, ~ rounded.';
COMMENT ON COLUMN quoted_conflict_value.unit_measure IS 'Its unit: code in unit; null where it is not known.';
COMMENT ON COLUMN quoted_conflict_value.rate_per IS 'What the value is for one of; null where it is no rate.';
COMMENT ON COLUMN quoted_conflict_value.term IS 'What is said where it is no quantity: a law.';
COMMENT ON COLUMN quoted_conflict_value.time_period IS 'The period it is about.';
COMMENT ON COLUMN quoted_conflict_value.source_id IS 'Source of the observation that is looked up; null any.';
COMMENT ON COLUMN quoted_conflict_value.reporter IS 'Who counted, in that observation; null any.';
COMMENT ON COLUMN quoted_conflict_value.metric IS 'Metric of that observation; null: none is looked up.';
COMMENT ON COLUMN quoted_conflict_value.subject IS 'Subject of that observation.';
COMMENT ON COLUMN quoted_conflict_value.ref_area IS 'Area it is about: code in area.';
COMMENT ON COLUMN quoted_conflict_value.harm IS 'Kind of harm of that observation.';
COMMENT ON COLUMN quoted_conflict_value.dimension
IS 'Breakdown of that observation that tells it from others, name=code; null: it has none but totals.';
COMMENT ON COLUMN quoted_conflict_value.evidence
IS 'quoted, document (read in a file), page (read on a page), general (general knowledge), constant or supposed.';
COMMENT ON COLUMN quoted_conflict_value.citation IS 'Where it is said.';

CREATE TABLE quoted_conflict_step (
    conflict_id VARCHAR NOT NULL,
    step INTEGER NOT NULL,
    what VARCHAR NOT NULL,
    left_key VARCHAR NOT NULL,
    operator VARCHAR CHECK (operator IN ('*', '/', '+', '-')),
    right_key VARCHAR,
    relation VARCHAR NOT NULL CHECK (relation IN ('=', '>', '<', '~', '>=', '<=')),
    against_key VARCHAR NOT NULL,
    tolerance DOUBLE NOT NULL CHECK (tolerance >= 0),
    expected VARCHAR NOT NULL CHECK (expected IN ('holds', 'fails')),
    PRIMARY KEY (conflict_id, step)
);
COMMENT ON TABLE quoted_conflict_step
IS 'One row a line of arithmetic of a conflict; conflict_arithmetic computes it, an audit holds it to expected.';
COMMENT ON COLUMN quoted_conflict_step.conflict_id IS 'The conflict: code in quoted_conflict.';
COMMENT ON COLUMN quoted_conflict_step.step IS 'Order of the line, from 1.';
COMMENT ON COLUMN quoted_conflict_step.what IS 'The line in words.';
COMMENT ON COLUMN quoted_conflict_step.left_key IS 'The value on the left: value_key in quoted_conflict_value.';
COMMENT ON COLUMN quoted_conflict_step.operator IS '* / + or -; null: the left value alone.';
COMMENT ON COLUMN quoted_conflict_step.right_key IS 'The value on the right of the operator.';
COMMENT ON COLUMN quoted_conflict_step.relation IS 'How the result would have to stand to the other value.';
COMMENT ON COLUMN quoted_conflict_step.against_key IS 'The value that the result is held against.';
COMMENT ON COLUMN quoted_conflict_step.tolerance IS 'How far off still counts as equal, in the unit of that value.';
COMMENT ON COLUMN quoted_conflict_step.expected IS 'holds or fails, as the register says.';

CREATE TABLE correction (
    correction_id VARCHAR PRIMARY KEY,
    source_id VARCHAR NOT NULL,
    table_name VARCHAR NOT NULL,
    match VARCHAR NOT NULL,
    field VARCHAR NOT NULL,
    printed VARCHAR NOT NULL,
    corrected VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    citation VARCHAR NOT NULL,
    recorded_on DATE NOT NULL
);
COMMENT ON TABLE correction IS 'One row a publisher''s slip in a printed label that is read as meant.';
COMMENT ON COLUMN correction.correction_id IS 'Name of the correction.';
COMMENT ON COLUMN correction.source_id IS 'The source that prints it.';
COMMENT ON COLUMN correction.table_name IS 'Table of the layout in which it stands.';
COMMENT ON COLUMN correction.match IS 'JSON object: label to the pattern its whole text must meet.';
COMMENT ON COLUMN correction.field IS 'The label that is replaced.';
COMMENT ON COLUMN correction.printed IS 'What is printed.';
COMMENT ON COLUMN correction.corrected IS 'What is read in its place.';
COMMENT ON COLUMN correction.reason IS 'How we know.';
COMMENT ON COLUMN correction.citation IS 'Where this can be seen.';
COMMENT ON COLUMN correction.recorded_on IS 'Day the correction was written down.';

CREATE TABLE obs_status (
    obs_status VARCHAR PRIMARY KEY,
    title VARCHAR NOT NULL,
    note VARCHAR
);
COMMENT ON TABLE obs_status IS 'One row a status of a value (SDMX).';
COMMENT ON COLUMN obs_status.obs_status
IS 'Code: A normal, E estimated, P provisional, B break, Q suppressed, O missing.';
COMMENT ON COLUMN obs_status.title IS 'The status in words.';
COMMENT ON COLUMN obs_status.note IS 'When it is given.';

CREATE TABLE comparison_side (
    comparison VARCHAR NOT NULL,
    side VARCHAR NOT NULL CHECK (side IN ('platform', 'clearinghouse')),
    subject VARCHAR NOT NULL,
    valid_from DATE,
    valid_to DATE,
    PRIMARY KEY (comparison, side, subject)
);
COMMENT ON TABLE comparison_side IS 'One row an organisation whose counts stand on one side of a comparison.';
COMMENT ON COLUMN comparison_side.comparison IS 'Name of the comparison: a platform as it reports about itself.';
COMMENT ON COLUMN comparison_side.side IS 'platform (its own count) or clearinghouse (what NCMEC counts of it).';
COMMENT ON COLUMN comparison_side.subject IS 'Whose reports are taken, with all others of that side.';
COMMENT ON COLUMN comparison_side.valid_from IS 'First day for which it is taken; null: always.';
COMMENT ON COLUMN comparison_side.valid_to IS 'Last day for which it is taken; null: always.';

CREATE TABLE comparison_explanation (
    comparison VARCHAR NOT NULL,
    year INTEGER NOT NULL,
    explanation VARCHAR NOT NULL,
    note VARCHAR NOT NULL,
    citation VARCHAR NOT NULL,
    PRIMARY KEY (comparison, year)
);
COMMENT ON TABLE comparison_explanation IS 'One row a comparison and year whose difference is looked into.';
COMMENT ON COLUMN comparison_explanation.comparison IS 'Name of the comparison, as in comparison_side.';
COMMENT ON COLUMN comparison_explanation.year IS 'Calendar year.';
COMMENT ON COLUMN comparison_explanation.explanation
IS 'duplicates, incomplete, not_explained, recalibration, rounding, training_data or unit.';
COMMENT ON COLUMN comparison_explanation.note IS 'The explanation in words.';
COMMENT ON COLUMN comparison_explanation.citation IS 'Where this is said.';

CREATE TABLE freq (
    freq VARCHAR PRIMARY KEY,
    title VARCHAR NOT NULL,
    note VARCHAR
);
COMMENT ON TABLE freq IS 'One row a length of period (SDMX).';
COMMENT ON COLUMN freq.freq IS 'Code: A year, S half-year, Q quarter, M month, D day, _O a time range.';
COMMENT ON COLUMN freq.title IS 'The length in words.';
COMMENT ON COLUMN freq.note IS 'How its periods are written.';

-- What was gathered. Foreign keys are audits (sql/audits/orphan.sql): with them declared, COPY FROM DATABASE fails.

CREATE TABLE source (
    source_id VARCHAR PRIMARY KEY,
    title VARCHAR NOT NULL,
    publisher VARCHAR NOT NULL,
    publisher_name VARCHAR,
    reporter VARCHAR NOT NULL,
    description VARCHAR NOT NULL,
    caveats VARCHAR[] NOT NULL,
    landing_page VARCHAR NOT NULL,
    licence VARCHAR NOT NULL,
    cadence VARCHAR NOT NULL,
    published_after_days INTEGER NOT NULL,
    method VARCHAR NOT NULL,
    next_expected DATE
);
COMMENT ON TABLE source IS 'One row a source: a publication series of one publisher, as declared.';
COMMENT ON COLUMN source.source_id IS 'Name of the source: the stem of its declaration.';
COMMENT ON COLUMN source.title IS 'Title of the publication series.';
COMMENT ON COLUMN source.publisher IS 'Who publishes it: code in organisation.';
COMMENT ON COLUMN source.publisher_name
IS 'Name of a publisher that organisation does not know yet, as declared; null where it does.';
COMMENT ON COLUMN source.reporter IS 'Who counted: code in organisation; usually the publisher.';
COMMENT ON COLUMN source.description IS 'What is counted, in our own words.';
COMMENT ON COLUMN source.caveats IS 'What a reader of these numbers must know; printed with every export.';
COMMENT ON COLUMN source.landing_page IS 'The publisher''s page about the series.';
COMMENT ON COLUMN source.licence IS 'Terms under which the publisher offers the documents.';
COMMENT ON COLUMN source.cadence IS 'annual, half-yearly, quarterly, monthly or irregular.';
COMMENT ON COLUMN source.published_after_days IS 'Usual days from the end of a period to its publication.';
COMMENT ON COLUMN source.method IS 'read: figures are read by code; transcribed: by hand, and reviewed.';
COMMENT ON COLUMN source.next_expected
IS 'Day by which the document after the newest one held is usually out; null where irregular or none is held.';

CREATE TABLE document (
    document_id VARCHAR NOT NULL CHECK (regexp_full_match(document_id, '[0-9a-f]{64}')),
    source_id VARCHAR NOT NULL,
    url VARCHAR,
    title VARCHAR,
    published_on DATE,
    published_basis VARCHAR,
    retrieved_at TIMESTAMP NOT NULL,
    media_type VARCHAR NOT NULL,
    bytes BIGINT NOT NULL CHECK (bytes >= 0),
    licence VARCHAR NOT NULL,
    method VARCHAR NOT NULL,
    PRIMARY KEY (document_id, source_id)
);
COMMENT ON TABLE document IS 'One row a retrieved file and source it serves; what was not let in is here too.';
COMMENT ON COLUMN document.document_id IS 'SHA-256 of the file''s bytes, in hex.';
COMMENT ON COLUMN document.source_id IS 'The source it was retrieved for.';
COMMENT ON COLUMN document.url IS 'Where it was retrieved; null where it was added by hand without saying.';
COMMENT ON COLUMN document.title IS 'Its title, as the document says.';
COMMENT ON COLUMN document.published_on IS 'Day of publication; null where nobody says.';
COMMENT ON COLUMN document.published_basis
IS 'Who says so: stated (by the person who added it), document (its own metadata), http, retrieved,
or not_before (the end of the newest period it reports on).';
COMMENT ON COLUMN document.retrieved_at IS 'Instant (UTC) at which it was first retrieved.';
COMMENT ON COLUMN document.media_type IS 'Media type sniffed from its bytes.';
COMMENT ON COLUMN document.bytes IS 'Size in bytes.';
COMMENT ON COLUMN document.licence IS 'Terms under which the publisher offers it.';
COMMENT ON COLUMN document.method
IS 'fetched, added (by hand), edition (its figures ship with the code) or transcribed.';

CREATE TABLE observation_vintage (
    observation_id VARCHAR PRIMARY KEY CHECK (regexp_full_match(observation_id, '[0-9a-f]{16}')),
    series_id VARCHAR NOT NULL CHECK (regexp_full_match(series_id, '[0-9a-f]{16}')),
    source_id VARCHAR NOT NULL,
    document_id VARCHAR NOT NULL,
    reporter VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    harm VARCHAR NOT NULL,
    ref_area VARCHAR NOT NULL,
    dimensions MAP (VARCHAR, VARCHAR) NOT NULL,
    freq VARCHAR NOT NULL,
    time_period VARCHAR NOT NULL,
    period_start DATE NOT NULL,
    period_end DATE NOT NULL,
    obs_value DOUBLE CHECK (isfinite(obs_value) AND obs_value >= 0),
    value_low DOUBLE CHECK (isfinite(value_low)),
    value_high DOUBLE CHECK (isfinite(value_high)),
    comparator VARCHAR NOT NULL CHECK (comparator IN ('=', '>', '<', '~', '>=', '<=')),
    unit_measure VARCHAR,
    obs_status VARCHAR NOT NULL,
    is_total BOOLEAN NOT NULL,
    obs_text VARCHAR NOT NULL,
    label_text VARCHAR NOT NULL,
    locator VARCHAR NOT NULL,
    table_name VARCHAR NOT NULL,
    adds_up BOOLEAN NOT NULL,
    extractor_version VARCHAR NOT NULL,
    published_on DATE,
    retrieved_at TIMESTAMP NOT NULL,
    method VARCHAR NOT NULL,
    cited_url VARCHAR,
    note VARCHAR,
    known_on DATE NOT NULL,
    superseded_on DATE,
    CHECK (period_start <= period_end),
    CHECK (value_low <= value_high)
);
COMMENT ON TABLE observation_vintage
IS 'One row a published figure in one document, every vintage. Never sum over it: use observation.';
COMMENT ON COLUMN observation_vintage.observation_id
IS 'Sixteen hex digits: of document, locator, labels, series and period. lightwell cite takes it.';
COMMENT ON COLUMN observation_vintage.series_id
IS 'Sixteen hex digits: of source, reporter, subject, metric, harm, area, dimensions, frequency and unit.';
COMMENT ON COLUMN observation_vintage.source_id IS 'The source the document belongs to.';
COMMENT ON COLUMN observation_vintage.document_id IS 'SHA-256 of the document it was read from.';
COMMENT ON COLUMN observation_vintage.reporter IS 'Who counted: code in organisation.';
COMMENT ON COLUMN observation_vintage.subject
IS 'Whom the count is about: code in organisation or provisional_organisation; _T all.';
COMMENT ON COLUMN observation_vintage.metric IS 'What is counted: code in metric.';
COMMENT ON COLUMN observation_vintage.harm IS 'Kind of harm: code in harm; _T all kinds.';
COMMENT ON COLUMN observation_vintage.ref_area
IS 'Area: code in area (ISO 3166-1 alpha-3); _T all areas, _U unknown, _Z not applicable.';
COMMENT ON COLUMN observation_vintage.dimensions
IS 'Further breakdowns by name, for example file_type; an empty map where there is none.';
COMMENT ON COLUMN observation_vintage.freq IS 'Length of the period: code in freq (A, S, Q, M, D; _O a range).';
COMMENT ON COLUMN observation_vintage.time_period
IS 'The period counted: 2023, 2023-S1, 2023-Q2, 2023-07, or a range such as the fiscal year 2022-07-01/P1Y.';
COMMENT ON COLUMN observation_vintage.period_start IS 'First day of the period.';
COMMENT ON COLUMN observation_vintage.period_end IS 'Last day of the period.';
COMMENT ON COLUMN observation_vintage.obs_value
IS 'The number, in unit_measure. Null where none is printed (O) or it is suppressed (Q); zero is zero.';
COMMENT ON COLUMN observation_vintage.value_low IS 'Lower bound, where the publisher gives a range.';
COMMENT ON COLUMN observation_vintage.value_high IS 'Upper bound, where the publisher gives a range.';
COMMENT ON COLUMN observation_vintage.comparator IS 'How the value is meant: = exactly, > more than, ~ about ...';
COMMENT ON COLUMN observation_vintage.unit_measure IS 'Unit of the value: code in unit; each metric has one.';
COMMENT ON COLUMN observation_vintage.obs_status IS 'Status of the value: code in obs_status.';
COMMENT ON COLUMN observation_vintage.is_total
IS 'True where the figure is printed as the total of others. Never sum totals with their parts.';
COMMENT ON COLUMN observation_vintage.obs_text IS 'The number exactly as printed.';
COMMENT ON COLUMN observation_vintage.label_text IS 'The labels of the number exactly as printed.';
COMMENT ON COLUMN observation_vintage.locator
IS 'Where it stands in the document: page and box in points, sheet and cell, line and column, or JSON pointer.';
COMMENT ON COLUMN observation_vintage.table_name IS 'The table of the document, as the layout names it.';
COMMENT ON COLUMN observation_vintage.adds_up
IS 'True in a table whose parts add up to a printed total: a later document that prints it replaces it whole.';
COMMENT ON COLUMN observation_vintage.extractor_version IS 'Version of the code and layouts that read it.';
COMMENT ON COLUMN observation_vintage.published_on IS 'Day the document was published; null where nobody says.';
COMMENT ON COLUMN observation_vintage.retrieved_at IS 'Instant (UTC) at which the document was first retrieved.';
COMMENT ON COLUMN observation_vintage.method
IS 'How the document came: fetched, added, edition, or transcribed by hand with a citation in cited_url.';
COMMENT ON COLUMN observation_vintage.cited_url
IS 'The page a transcribed figure was printed on; null where the document itself is the page.';
COMMENT ON COLUMN observation_vintage.note IS 'What a reader of this number must know.';
COMMENT ON COLUMN observation_vintage.known_on IS 'Day the document was published, else retrieved.';
COMMENT ON COLUMN observation_vintage.superseded_on
IS 'Day on which a later vintage took its place: known_on of that vintage. Null while it is the latest.';

CREATE TABLE quarantine (
    source_id VARCHAR NOT NULL,
    document_id VARCHAR NOT NULL,
    scope VARCHAR NOT NULL CHECK (scope IN ('row', 'document')),
    reason VARCHAR NOT NULL CHECK (reason <> ''),
    expectation VARCHAR,
    table_name VARCHAR,
    label_text VARCHAR,
    obs_text VARCHAR,
    locator VARCHAR,
    observation_id VARCHAR
);
COMMENT ON TABLE quarantine IS 'One row a figure or document that is kept and queryable but not published.';
COMMENT ON COLUMN quarantine.source_id IS 'The source the document belongs to.';
COMMENT ON COLUMN quarantine.document_id IS 'SHA-256 of the document.';
COMMENT ON COLUMN quarantine.scope IS 'row: this figure; document: nothing of the document is published.';
COMMENT ON COLUMN quarantine.reason IS 'What was met and what to do about it.';
COMMENT ON COLUMN quarantine.expectation IS 'The check that failed, where one did.';
COMMENT ON COLUMN quarantine.table_name IS 'Table of the layout in which the figure stands.';
COMMENT ON COLUMN quarantine.label_text IS 'The labels of the number exactly as printed.';
COMMENT ON COLUMN quarantine.obs_text IS 'The number exactly as printed.';
COMMENT ON COLUMN quarantine.locator IS 'Where it stands in the document, as in observation_vintage.';
COMMENT ON COLUMN quarantine.observation_id IS 'The observation it would have been, where it came that far.';

CREATE TABLE fetch_outcome (
    source_id VARCHAR NOT NULL,
    url VARCHAR,
    attempted_at TIMESTAMP NOT NULL,
    outcome VARCHAR NOT NULL CHECK (outcome IN ('stored', 'unchanged', 'failed')),
    reason VARCHAR,
    http_status INTEGER,
    document_id VARCHAR,
    media_type VARCHAR,
    bytes BIGINT,
    etag VARCHAR,
    last_modified VARCHAR,
    published_on DATE,
    method VARCHAR NOT NULL
);
COMMENT ON TABLE fetch_outcome IS 'One row an attempt to get one document, successful or not.';
COMMENT ON COLUMN fetch_outcome.source_id IS 'The source it was tried for.';
COMMENT ON COLUMN fetch_outcome.url IS 'What was asked for; null where a person added a file without saying.';
COMMENT ON COLUMN fetch_outcome.attempted_at IS 'Instant (UTC) of the attempt.';
COMMENT ON COLUMN fetch_outcome.outcome IS 'stored, unchanged or failed.';
COMMENT ON COLUMN fetch_outcome.reason IS 'Why it failed, and what to do.';
COMMENT ON COLUMN fetch_outcome.http_status IS 'Status the server answered with, where it answered.';
COMMENT ON COLUMN fetch_outcome.document_id IS 'SHA-256 of the document; set for stored and unchanged.';
COMMENT ON COLUMN fetch_outcome.media_type IS 'Media type sniffed from the bytes.';
COMMENT ON COLUMN fetch_outcome.bytes IS 'Bytes received.';
COMMENT ON COLUMN fetch_outcome.etag IS 'ETag the server sent.';
COMMENT ON COLUMN fetch_outcome.last_modified IS 'Last-Modified the server sent.';
COMMENT ON COLUMN fetch_outcome.published_on IS 'Day of publication as said by the person who added the file.';
COMMENT ON COLUMN fetch_outcome.method IS 'fetched or added.';

CREATE TABLE provisional_organisation (
    organisation VARCHAR NOT NULL,
    printed_name VARCHAR NOT NULL,
    source_id VARCHAR NOT NULL,
    document_id VARCHAR NOT NULL,
    PRIMARY KEY (organisation, source_id, document_id)
);
COMMENT ON TABLE provisional_organisation
IS 'One row a name not met before and document: published under its printed name, to be reviewed.';
COMMENT ON COLUMN provisional_organisation.organisation IS 'Code made from the printed name.';
COMMENT ON COLUMN provisional_organisation.printed_name IS 'The name as printed.';
COMMENT ON COLUMN provisional_organisation.source_id IS 'The source the document belongs to.';
COMMENT ON COLUMN provisional_organisation.document_id IS 'SHA-256 of the document that prints the name.';

CREATE TABLE release_info (
    release_id VARCHAR PRIMARY KEY,
    built_at TIMESTAMP NOT NULL,
    lightwell_version VARCHAR NOT NULL,
    inputs_digest VARCHAR NOT NULL,
    duckdb_version VARCHAR NOT NULL
);
COMMENT ON TABLE release_info IS 'One row: which release this is and what made it.';
COMMENT ON COLUMN release_info.release_id IS 'Name of the release: build time and six hex digits.';
COMMENT ON COLUMN release_info.built_at IS 'Instant (UTC) of the build.';
COMMENT ON COLUMN release_info.lightwell_version IS 'Version of Lightwell that built it.';
COMMENT ON COLUMN release_info.inputs_digest IS 'Digest of everything that went in: same digest, same content.';
COMMENT ON COLUMN release_info.duckdb_version IS 'Version of DuckDB that wrote the file.';

CREATE VIEW observation AS
SELECT * EXCLUDE (known_on, superseded_on)
FROM observation_vintage
WHERE
    known_on <= coalesce(cast(getvariable('as_of') AS DATE), '9999-12-31')
    AND coalesce(superseded_on > cast(getvariable('as_of') AS DATE), superseded_on IS NULL);
COMMENT ON VIEW observation
IS 'One row a series and period: its latest vintage by publication (else retrieval), retrieval, document_id. Where a
table adds up to a printed total, the newest document that prints it for a period replaces the older ones whole.
After SET VARIABLE as_of = DATE ''2023-06-30'' it, and every view on it, shows what was known on that day.';

CREATE VIEW vintage AS
SELECT * EXCLUDE (superseded_on)
FROM observation_vintage
WHERE known_on <= coalesce(cast(getvariable('as_of') AS DATE), '9999-12-31')
QUALIFY row_number() OVER (
    PARTITION BY series_id, time_period, document_id
    ORDER BY label_text DESC, observation_id DESC
) = 1;
COMMENT ON VIEW vintage
IS 'One row a series, period and document: a figure that several tables of a document print alike stands once.';

CREATE MACRO as_of(day) AS TABLE -- noqa: CP05
    SELECT * EXCLUDE (known_on, superseded_on)
    FROM observation_vintage
    WHERE known_on <= cast(day AS DATE) AND coalesce(superseded_on > cast(day AS DATE), TRUE);
COMMENT ON MACRO TABLE as_of IS 'observation as known on a day: as_of(DATE ''2023-06-30'').'; -- noqa: PRS

CREATE MACRO first_day(period) AS ( -- noqa: CP05
    CASE
        WHEN regexp_full_match(period, '[0-9]{4}') THEN make_date(cast(period AS INTEGER), 1, 1)
        WHEN regexp_full_match(period, '[0-9]{4}-[SQ][1-4]')
            THEN make_date(
                cast(left(period, 4) AS INTEGER),
                1 + (cast(right(period, 1) AS INTEGER) - 1) * CASE period[6] WHEN 'S' THEN 6 ELSE 3 END,
                1
            )
        WHEN regexp_full_match(period, '[0-9]{4}-[0-9]{2}') THEN cast(period || '-01' AS DATE)
        ELSE cast(left(period, 10) AS DATE)
    END
);
COMMENT ON MACRO first_day IS 'First day of a time_period: first_day(''2023-S2'') is 2023-07-01.'; -- noqa: PRS
