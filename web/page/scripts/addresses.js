// Addresses of this server, which may be mounted below a path: data-root holds the address of the search page.

const root = document.body.dataset.root;

// the address of a path such as "/results"
export const addressOf = (path) => root + path.slice(1);

// the same search at another path: "/?q=ball" becomes "/results?q=ball"
export const resultsOf = (address) => addressOf("/results") + address.slice(root.length);
