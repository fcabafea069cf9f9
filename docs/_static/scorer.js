// Which page a search finds first: guides answer questions, other pages say how, and the reference has every name.
var Scorer = {
  score: ([page, title, anchor, descr, score]) => score + (/^(guides|tutorials)\/|^start$/.test(page) ? 35 : 0),
  objNameMatch: 40,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
