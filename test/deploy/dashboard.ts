/** The Grafana dashboard, as tests see it. */
import { readFileSync } from 'node:fs';

export interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string }[];
  fieldConfig?: { defaults: { unit: string } };
}

export const DASHBOARD: { panels: Panel[] } = JSON.parse(readFileSync('deploy/grafana/beeline.json', 'utf8'));

/** Each query, with Grafana's variables filled in. @param interval of a rate */
export const queries = (interval = '1m'): string[] =>
  DASHBOARD.panels.flatMap(({ targets = [] }) =>
    targets.map(({ expr }) => expr.replaceAll('$__rate_interval', interval).replaceAll('$instance', '.+')),
  );
