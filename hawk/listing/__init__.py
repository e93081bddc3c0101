"""Lists of results: what they can be narrowed by and ordered by, the same in the viewer's pages and in exports."""
