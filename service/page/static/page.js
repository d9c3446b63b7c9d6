// The live page: what comes from the service goes to the parts that show it.

import * as ask from "./ask.js";
import { find, say } from "./dom.js";
import * as headline from "./headline.js";
import * as lists from "./lists.js";
import { listen } from "./live.js";
import * as operate from "./operate.js";
import * as tree from "./tree.js";

let known = null;
let hasRates = false;

const again = listen({
  hello(told) {
    connection("live", "live");
    operate.heard(told);
    if (!hasRates) tree.fillRates(told.rates);
    hasRates = true;
  },
  picture(picture) {
    find("main").dataset.shows = "picture";
    headline.showPicture(picture);
    tree.showPicture(picture);
    lists.showPicture(picture);
    ask.showPicture(picture);
    flashNews(picture.happened);
  },
  noTree(words) {
    headline.showWords(words, "broken");
  },
  refused(words, wantsToken) {
    connection("lost", wantsToken ? "signed out" : "refused");
    headline.showWords(wantsToken ? "Sign in to see how this service is." : words);
    if (wantsToken) {
      find("main").dataset.shows = "nothing";
      operate.refused();
    }
  },
  lost() {
    connection("lost", "no connection; trying again…");
    headline.showWords("The service can't be reached. What is below is how it was last seen.", "broken");
  },
});

operate.begin(again, tree.setSteerable);
tree.whenActions(operate.offerFor);
ask.begin();
setInterval(() => {
  headline.tick();
  tree.tick();
  lists.tick();
}, 1000);

/** Have the nodes be seen to change to whom something has happened, or whose trouble is over. */
function flashNews(happened) {
  const now = new Map(happened.map((each) => [each.number, each.over_at]));
  if (known !== null) {
    for (const each of happened) {
      if (!known.has(each.number) || known.get(each.number) !== each.over_at) tree.flash(each.path);
    }
  }
  known = now;
}

function connection(state, words) {
  find("connection").dataset.state = state;
  say(find("connection-words"), words);
}
