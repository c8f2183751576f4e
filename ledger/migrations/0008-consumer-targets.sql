CREATE INDEX consumers_by_target ON consumers (target) WHERE retired_at IS NULL;
