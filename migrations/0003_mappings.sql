-- Oldest release that can live with it: 0.1.0 (which knows no mappings: a generation that it builds is one without)

-- The digest of the mappings that a generation's events were made with, empty where there were none. A rebuild compares it with today's.
ALTER TABLE recap.generation ADD COLUMN mappings text NOT NULL DEFAULT '';
