/** What the server says of a page: the same that the page was rendered from. */
export interface Live {
  texts: Record<string, string>;
  states: Record<string, State>;
  charts: ChartData[];
  tables: TableData[];
}

export type State = 'none' | 'good' | 'warn' | 'bad';

export interface ChartData {
  name: string;
  summary: string;
  lines: { label: string; tone: string; values: number[] }[];
  times: number[];
  labels: string[];
}

export interface TableData {
  name: string;
  rows: RowData[];
}

export interface RowData {
  key: string;
  cells: CellData[];
  action?: string;
}

export interface CellData {
  text: string;
  whole?: string;
  href?: string;
  state?: State;
  percent?: number;
}
