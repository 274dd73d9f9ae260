"""The style sheet of the page: light and dark by the reader's setting, one column on a phone."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --card: #ffffff; --ink: #1d2024; --soft: #62676e; --rule: #e3e1dc; --grid: #e9e7e2;
  --mark: #fff3c9; --alarm: #b3261e;
  --line-0: #0067ad; --line-1: #d55e00; --line-2: #008a63; --line-3: #b4558c; --line-4: #7a6a00; --line-5: #5b5fc7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14161a; --card: #1c1f24; --ink: #e8e6e1; --soft: #a2a7ae; --rule: #30343b; --grid: #2b2f36;
    --mark: #4a3f16; --alarm: #ff8a80;
    --line-0: #5db4f0; --line-1: #f59a4a; --line-2: #3fc79b; --line-3: #e492c0; --line-4: #d8c94f; --line-5: #a3a6ff;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 40px 0 12px; padding-bottom: 6px; border-bottom: 1px solid var(--rule); }
h3 { font-size: 15px; margin: 20px 0 6px; }
p { margin: 4px 0; max-width: 75ch; }
.soft, small { color: var(--soft); }
.alarm { color: var(--alarm); font-weight: 600; }
code { font: 0.9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 20px 0 0;
  padding: 0; }
.tiles div { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 10px 14px; }
.tiles dt { color: var(--soft); font-size: 13px; }
.tiles dd { margin: 0; font-size: 22px; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tiles dd small { display: block; font-size: 13px; font-weight: 400; line-height: 1.4; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(340px, 100%), 1fr)); gap: 14px; }
figure { margin: 0; }
.chart { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 10px 10px 4px;
  display: flex; flex-direction: column; justify-content: space-between; }
.chart figcaption { font-weight: 600; display: flex; flex-wrap: wrap; justify-content: space-between;
  gap: 0 14px; padding: 0 4px 6px; }
.chart ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0 12px; margin: 0; padding: 0; font-size: 13px;
  font-weight: 400; color: var(--soft); font-variant-numeric: tabular-nums; }
.chart li b { color: var(--ink); font-weight: 600; }
.chart i { display: inline-block; width: 14px; height: 0; border-top: 3px solid var(--c); border-radius: 2px;
  margin: 0 5px 3px 0; }
.chart i.dashed { border-top-style: dashed; }
.chart .axis { font-size: 12px; color: var(--soft); padding: 0 4px; }
.chart .axis.below { text-align: right; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--soft);
  font-variant-numeric: tabular-nums; }
.grid { stroke: var(--grid); stroke-width: 1; }
.line { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.raw { fill: none; stroke: var(--c); stroke-width: 1; opacity: 0.3; }
.dashed .line { stroke-dasharray: 6 5; }
.dot { fill: var(--c); }
.marked { fill: none; stroke: var(--c); stroke-width: 1.5; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr)); gap: 0 20px; }
.pictures > * { min-width: 0; }
.pictures .wide { grid-column: 1 / -1; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 5px 14px 5px 0; border-bottom: 1px solid var(--rule); }
th { color: var(--soft); font-weight: 600; font-size: 13px; white-space: nowrap; }
td.name { white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
mark { background: var(--mark); color: inherit; padding: 0 3px; border-radius: 3px; }
.picture { margin: 0 0 14px; }
.picture figcaption { font-size: 13px; color: var(--soft); margin-bottom: 4px; }
.picture img { display: block; max-width: 100%; height: auto; border-radius: 4px; background: #fff; }
details { margin: 10px 0; }
summary { cursor: pointer; color: var(--soft); }
pre { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 12px; font-size: 12px;
  overflow-x: auto; }
@media (max-width: 640px) {
  main { padding: 18px 14px 40px; }
  h1 { font-size: 22px; }
  .tiles { grid-template-columns: 1fr 1fr; gap: 8px; }
  .tiles dd { font-size: 19px; }
  .scroll .picture img { max-width: none; min-width: 640px; }
  table.settings, .settings tbody, .settings tr, .settings td { display: block; }
  .settings thead { display: none; }
  .settings tr { padding: 6px 0; border-bottom: 1px solid var(--rule); }
  .settings td { border: 0; padding: 0; }
  .settings td[data-label]::before { content: attr(data-label); color: var(--soft); }
  .settings td.name { font-weight: 600; }
  .settings td.source { color: var(--soft); font-size: 13px; }
}
@media print { details { display: block; } .chart, .picture { break-inside: avoid; } }
"""
