"""The rules of an evaluation's page beside those that all pages share."""

STYLE = """
.charts.few { grid-template-columns: repeat(auto-fit, minmax(min(340px, 100%), 560px)); }
table { width: auto; min-width: min(100%, 480px); }
td:first-child, th:first-child { min-width: 12ch; }
td b { font-weight: 700; }
h3 + .soft { margin: -2px 0 8px; }
.chart.bare { background: none; border: 0; padding: 0 0 8px; display: block; }
.chart.bare ul { gap: 0 16px; }
.bars { columns: 3 300px; column-gap: 28px; }
.bars.histogram { columns: auto; max-width: 620px; }
.bars .row { display: grid; grid-template-columns: minmax(90px, 2fr) 4fr; gap: 8px; break-inside: avoid;
  padding: 3px 0; align-items: center; font-size: 13px; }
.bars .row span { overflow-wrap: anywhere; line-height: 1.25; }
.bar { display: flex; align-items: center; height: 13px; }
.bar i { flex: none; height: 8px; min-width: 1px; border-radius: 0 3px 3px 0; background: var(--c);
  width: calc((100% - 46px) * var(--share)); }
.bar.pale i { opacity: 0.5; }
.bar b { font-weight: 400; font-size: 12px; color: var(--soft); margin-left: 5px; line-height: 1;
  font-variant-numeric: tabular-nums; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 0; font-size: 14px; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.picture figcaption { max-width: 100ch; }
@media (max-width: 640px) {
  .facts { display: block; }
  .facts dd { margin-bottom: 8px; }
}
"""
