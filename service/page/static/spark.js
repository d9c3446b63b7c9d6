// Sparklines: tokens a second over the last two minutes, a point for each second.

const POINTS = 120;
const WIDTH = 120;
const HEIGHT = 20;
const SVG = "http://www.w3.org/2000/svg";

/** Keep the rates of one model, and draw them. */
export class Sparkline {
  constructor() {
    this.points = new Array(POINTS).fill(null);
    this.element = document.createElementNS(SVG, "svg");
    this.element.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.element.setAttribute("preserveAspectRatio", "none");
    this.element.setAttribute("class", "spark");
    this.element.setAttribute("aria-hidden", "true");
    this.area = this.element.appendChild(document.createElementNS(SVG, "path"));
    this.line = this.element.appendChild(document.createElementNS(SVG, "path"));
    this.area.setAttribute("class", "spark-area");
    this.line.setAttribute("class", "spark-line");
  }

  /** Put what was before this page was opened in place. past: [seconds ago, rate], oldest first. */
  fill(past) {
    past.forEach(([ago, rate], index) => {
      const last = index + 1 < past.length ? past[index + 1][0] : 0;
      for (let second = Math.round(ago); second > last && second > 0; second -= 1) {
        // A pause in which nobody looked is a gap, and not a line.
        if (second > POINTS || ago - second > 3) continue;
        this.points[POINTS - second] ??= rate;
      }
    });
    this.draw();
  }

  /** Go on by a second. */
  push(rate) {
    this.points.shift();
    this.points.push(rate);
    this.draw();
  }

  draw() {
    const most = Math.max(1, ...this.points.map((point) => point ?? 0));
    let line = "";
    let area = "";
    let begun = null;
    const end = (x) => {
      if (begun !== null) area += `L${x} ${HEIGHT}L${begun} ${HEIGHT}Z`;
      begun = null;
    };
    this.points.forEach((point, index) => {
      const x = (index * WIDTH) / (POINTS - 1);
      if (point === null) return end(x);
      const y = HEIGHT - 1 - (point / most) * (HEIGHT - 3);
      const step = `${begun === null ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
      if (begun === null) begun = x.toFixed(1);
      line += step;
      area += step;
      return undefined;
    });
    end(WIDTH);
    this.line.setAttribute("d", line);
    this.area.setAttribute("d", area);
  }
}
