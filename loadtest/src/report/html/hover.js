// Shows the values under the mouse. The page reads well without.
const tip = document.getElementById('tip');
for (const svg of document.querySelectorAll('svg[data-hover]')) {
  const columns = JSON.parse(svg.dataset.hover), cursor = svg.querySelector('.cursor');
  const move = (event) => {
    const box = svg.getBoundingClientRect(), x = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
    const [at, label, values] = columns.reduce((a, b) => Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a);
    cursor.setAttribute('x1', at); cursor.setAttribute('x2', at);
    tip.replaceChildren();
    const line = (parent, tag, text, name) => {
      const made = parent.appendChild(document.createElement(tag));
      made.textContent = text; if (name) made.className = name;
      return made;
    };
    line(tip, 'div', label);
    for (const [name, told, value] of values) line(line(tip, 'span', ''), 'b', told, name).after(' ' + value, document.createElement('br'));
    tip.hidden = false;
    const right = event.clientX + 16 + tip.offsetWidth > innerWidth;
    tip.style.left = (right ? event.clientX - 16 - tip.offsetWidth : event.clientX + 16) + 'px';
    tip.style.top = (event.clientY + 12) + 'px';
  };
  svg.addEventListener('pointermove', move);
  svg.addEventListener('pointerleave', () => { tip.hidden = true; cursor.setAttribute('x1', -9); cursor.setAttribute('x2', -9); });
}
